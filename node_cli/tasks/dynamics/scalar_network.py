"""Perceptrons of one output, with their derivatives written out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

SmoothActivation = Literal["tanh", "softplus"]


class _Layer(NamedTuple):
    """What one hidden layer has made of its input, ``[..., width]`` each.

    Attributes:
        weight: of the layer, ``[width, inputs]``.
        slope: the activation's first derivative.
        curvature: its second.
    """

    weight: Tensor
    slope: Tensor
    curvature: Tensor


class ScalarNetwork(nn.Module):
    """A perceptron ``[..., inputs]`` to one number, ``[...]``.

    Its derivatives are chains of products like its value, so that they can be had without gradients
    enabled, and differentiated like any other module.

    Args:
        inputs: values that it takes.
        hidden: widths of the hidden layers.
        activation: after each of them; its derivatives must be smooth too.
    """

    def __init__(self, inputs: int, hidden: Sequence[int], activation: SmoothActivation) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise((inputs, *hidden)))
        self.last = nn.Linear((inputs, *hidden)[-1], 1)
        self._tanh = activation == "tanh"

    def forward(self, x: Tensor) -> Tensor:
        """The values, ``[...]``."""
        for layer in self.layers:
            x = torch.tanh(layer(x)) if self._tanh else functional.softplus(layer(x))
        value: Tensor = self.last(x)
        return value.squeeze(-1)

    def gradient(self, x: Tensor) -> Tensor:
        """The derivatives by the inputs, of the shape of ``x``."""
        back = self.last.weight.squeeze(0)
        for weight, slope, _ in reversed(self._passed(x)):
            back = (back * slope) @ weight
        return back.expand(x.shape)

    def gradient_and_hessian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r"""The first and the second derivatives, ``[..., D]`` and ``[..., D, D]``.

        With the inputs :math:`z_l` of the activations :math:`\sigma`,

        .. math:: \nabla^2 f = \sum_l \left( \frac{\partial z_l}{\partial x} \right)^\top
                  \operatorname{diag} \left( \frac{\partial f}{\partial \sigma(z_l)}\,
                  \sigma''(z_l) \right) \frac{\partial z_l}{\partial x}.
        """
        passed = self._passed(x)
        by_x = [passed[0].weight.expand(*x.shape[:-1], -1, -1)]  # of the input of each activation
        for before, layer in pairwise(passed):
            by_x.append(layer.weight @ (before.slope.unsqueeze(-1) * by_x[-1]))
        hessian = x.new_zeros(())
        back = self.last.weight.squeeze(0)
        for layer, jacobian in zip(reversed(passed), reversed(by_x), strict=True):
            weighted = (back * layer.curvature).unsqueeze(-1) * jacobian
            hessian = hessian + jacobian.mT @ weighted
            back = (back * layer.slope) @ layer.weight
        return back.expand(x.shape), hessian

    def _passed(self, x: Tensor) -> list[_Layer]:
        passed = []
        for layer in self.layers:
            before = layer(x)
            if self._tanh:
                x = torch.tanh(before)
                slope = 1 - x * x
                curvature = -2 * x * slope
            else:
                x, slope = functional.softplus(before), torch.sigmoid(before)
                curvature = slope * (1 - slope)
            passed.append(_Layer(cast("nn.Linear", layer).weight, slope, curvature))
        return passed
