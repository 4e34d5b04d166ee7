"""Vector fields of latent states: they do not depend on time."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn


class ELU(nn.Module):
    """``x`` above 0 and ``exp(x) - 1`` below.

    Torch's own computes the latter by ``expm1``, which on the CPU takes six times as long and
    differs by rounding only, at most one unit in the last place of 1.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of ``x``."""
        return torch.relu(x) + (x.clamp(max=0).exp() - 1)


class AutonomousField(nn.Sequential):
    """A multilayer perceptron ``dz/dt = f(z)``.

    Args:
        dimensions: of the state.
        hidden: widths of the hidden layers.
        activation: between the layers.
    """

    def __init__(
        self, dimensions: int, hidden: tuple[int, ...], activation: Literal["elu", "tanh"] = "elu"
    ) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((dimensions, *hidden)):
            layers += [nn.Linear(inputs, outputs), ELU() if activation == "elu" else nn.Tanh()]
        super().__init__(*layers, nn.Linear((dimensions, *hidden)[-1], dimensions))

    def forward(self, t: Tensor, z: Tensor) -> Tensor:  # type: ignore[override]
        """The derivative, of the shape ``[..., dimensions]`` of ``z``; ``t`` is not used."""
        for layer in self:
            z = layer(z)
        return z
