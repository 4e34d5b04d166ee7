"""The group ``tolerance``."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import model_validator

from node_cli.schema.base import NonNegative, Schema


class Tolerances(NamedTuple):
    """What a solve is allowed.

    Attributes:
        rtol: relative error in one step.
        atol: absolute error in one step.
    """

    rtol: float
    atol: float

    def or_else(self, rtol: float | None, atol: float | None) -> Tolerances:
        """Those that another group gives in their place; None: these."""
        return Tolerances(self.rtol if rtol is None else rtol, self.atol if atol is None else atol)


class ToleranceConfig(Schema):
    """The error allowed in one step: ``atol + rtol * |y|``; ``atol`` has the units of the state."""

    rtol: NonNegative
    atol: NonNegative

    @model_validator(mode="after")
    def _allows_some_error(self) -> ToleranceConfig:
        if self.rtol == 0 and self.atol == 0:
            raise ValueError(
                "tolerance.rtol=0 tolerance.atol=0: no solver is without any error; at least one"
                " of them must be > 0."
            )
        return self
