"""Multilayer perceptrons, and vector fields that are one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from node_cli.schema.vector_field import Activation


class ELU(nn.Module):
    """``x`` above 0 and ``exp(x) - 1`` below.

    Torch's own computes the latter by ``expm1``, which on the CPU takes six times as long and
    differs by rounding only, at most one unit in the last place of 1.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of ``x``."""
        return torch.relu(x) + (x.clamp(max=0).exp() - 1)


_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "softplus": nn.Softplus,
    "elu": ELU,
}


def activation_of(name: Activation) -> nn.Module:
    """The activation of that name."""
    return _ACTIVATIONS[name]()


class Perceptron(nn.Sequential):
    """A multilayer perceptron, ``[..., inputs]`` to ``[..., outputs]``.

    Args:
        inputs: values that it takes.
        hidden: widths of the hidden layers.
        outputs: values that it gives.
        activation: after each hidden layer.
    """

    def __init__(
        self, inputs: int, hidden: Sequence[int], outputs: int, activation: Activation = "tanh"
    ) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise((inputs, *hidden)):
            layers += [nn.Linear(before, after), activation_of(activation)]
        super().__init__(*layers, nn.Linear((inputs, *hidden)[-1], outputs))


class MlpField(Perceptron):
    """A perceptron as a vector field, ``dy/dt = f(y)`` or ``f(t, y)``.

    Args:
        dimensions: D, of the state.
        hidden: widths of the hidden layers.
        activation: after each of them.
        time: t is one more input.
        outputs: values that it gives; None: the D of the derivative.
    """

    def __init__(
        self,
        dimensions: int,
        hidden: Sequence[int],
        activation: Activation = "tanh",
        time: bool = False,
        outputs: int | None = None,
    ) -> None:
        outputs = dimensions if outputs is None else outputs
        super().__init__(dimensions + time, hidden, outputs, activation)
        self._time = time

    def forward(self, t: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """``[..., outputs]`` of a scalar time and states ``[..., D]``."""
        if self._time:
            y = torch.cat((y, t.to(y.dtype).expand(*y.shape[:-1], 1)), dim=-1)
        for layer in self:
            y = layer(y)
        return y
