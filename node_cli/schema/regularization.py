"""The group ``regularization``."""

from __future__ import annotations

from typing import Literal

from node_cli.schema.base import NonNegative, Schema

PenaltyName = Literal[
    "kinetic_energy",
    "jacobian_norm",
    "directional_derivative",
    "jacobian_diagonal",
    "jacobian_off_diagonal",
]


class RegularizationConfig(Schema):
    """Weights of the integrals along the flow that are added to the loss; 0 leaves one out."""

    kinetic_energy: NonNegative
    jacobian_norm: NonNegative
    directional_derivative: NonNegative
    jacobian_diagonal: NonNegative
    jacobian_off_diagonal: NonNegative

    @property
    def weights(self) -> dict[PenaltyName, float]:
        """Those that are not 0."""
        names: dict[PenaltyName, float] = {
            "kinetic_energy": self.kinetic_energy,
            "jacobian_norm": self.jacobian_norm,
            "directional_derivative": self.directional_derivative,
            "jacobian_diagonal": self.jacobian_diagonal,
            "jacobian_off_diagonal": self.jacobian_off_diagonal,
        }
        return {name: weight for name, weight in names.items() if weight > 0}
