"""Vector fields of latent states: they do not depend on time."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn


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
            layers += [nn.Linear(inputs, outputs), nn.ELU() if activation == "elu" else nn.Tanh()]
        super().__init__(*layers, nn.Linear((dimensions, *hidden)[-1], dimensions))

    def forward(self, t: Tensor, z: Tensor) -> Tensor:  # type: ignore[override]
        """The derivative, of the shape ``[..., dimensions]`` of ``z``; ``t`` is not used."""
        for layer in self:
            z = layer(z)
        return z
