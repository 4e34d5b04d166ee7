"""What the settings of a perceptron field mean: a field, and the state that it begins with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from node_cli.models.augmentation import augmented
from node_cli.models.mlp_field import MlpField, Perceptron
from node_cli.models.second_order import SecondOrderField
from node_cli.schema.vector_field import (
    Activation,
    AugmentedConfig,
    PerceptronConfig,
    SecondOrderConfig,
)


class WithZeros(nn.Module):
    """From values ``[..., D]`` to a state ``[..., D + extra]``, with zeros after them."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self._extra = extra

    def forward(self, values: Tensor) -> Tensor:
        """The state."""
        return augmented(values, self._extra)


class WithVelocity(nn.Module):
    """From values ``[..., D]`` to a state ``[..., 2 D]``, with a learned velocity after them.

    Args:
        dimensions: D.
        hidden: widths of the hidden layers of the perceptron that gives the velocity.
        activation: after each of them.
    """

    def __init__(self, dimensions: int, hidden: Sequence[int], activation: Activation) -> None:
        super().__init__()
        self.velocity = Perceptron(dimensions, hidden, dimensions, activation)

    def forward(self, values: Tensor) -> Tensor:
        """The state."""
        return torch.cat((values, self.velocity(values)), dim=-1)


def field_and_lift(config: PerceptronConfig, dimensions: int) -> tuple[nn.Module, nn.Module | None]:
    """The vector field of a model, and what makes its first state of values ``[..., D]``.

    Args:
        config: the ``model`` group.
        dimensions: D; the values come first in the state.

    Returns:
        The field, and None for the lift where the values are the state.
    """
    if isinstance(config, SecondOrderConfig):
        observed = config.velocity == "observed"
        positions = dimensions // 2 if observed else dimensions
        acceleration = MlpField(
            2 * positions, config.hidden, config.activation, config.time, outputs=positions
        )
        lift: nn.Module | None = None
        if config.velocity == "learned":
            lift = WithVelocity(positions, config.hidden, config.activation)
        elif not observed:
            lift = WithZeros(positions)
        return SecondOrderField(acceleration), lift
    extra = config.augment_dim if isinstance(config, AugmentedConfig) else 0
    field = MlpField(dimensions + extra, config.hidden, config.activation, config.time)
    return field, WithZeros(extra) if extra else None
