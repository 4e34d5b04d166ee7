"""The group ``evaluation``: how ODEs are solved in validation, test and figures, and checked."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from node_cli.methods import SOLVERS
from node_cli.schema.base import Count, NonNegative, Positive, Schema
from node_cli.schema.spelling import no_such
from node_cli.schema.tolerance import Tolerances


class EvaluationConfig(Schema):
    """What evaluation does otherwise than training; null: the same.

    Attributes:
        solver: name of the solver.
        tolerance: relative and absolute tolerance at once.
        rtol: relative tolerance.
        atol: absolute tolerance.
        step_size: longest step of a fixed-step solver.
        num_steps: the longest step is the whole interval divided by it; replaces ``step_size``.
        round_trip: whether the first batch of each evaluation is solved forwards and then back,
            which must lead to where it began; ``auto``: where the model solves an ODE.
    """

    solver: str | None
    tolerance: Positive | None
    rtol: NonNegative | None
    atol: NonNegative | None
    step_size: Positive | None
    num_steps: Count | None
    round_trip: bool | Literal["auto"] = False  # runs from before it have none

    def tolerances(self, trained: Tolerances) -> Tolerances:
        """Those of the evaluation, where training has these."""
        return trained.or_else(self.tolerance, self.tolerance).or_else(self.rtol, self.atol)

    @property
    def differs(self) -> bool:
        """Whether evaluation solves in another way than training."""
        given = self.model_dump(exclude={"round_trip"})
        return any(value is not None for value in given.values())

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> EvaluationConfig:
        if self.solver is not None and self.solver not in SOLVERS:
            raise ValueError(no_such("solver", "evaluation.solver", self.solver, sorted(SOLVERS)))
        for key in ("rtol", "atol"):
            if self.tolerance is not None and getattr(self, key) is not None:
                raise ValueError(
                    f"evaluation.tolerance={self.tolerance:g}"
                    f" evaluation.{key}={getattr(self, key):g}: the tolerance is both rtol and"
                    " atol; give the one or the others."
                )
        if self.step_size is not None and self.num_steps is not None:
            raise ValueError(
                f"evaluation.step_size={self.step_size:g} evaluation.num_steps={self.num_steps}:"
                " give the one or the other, not both."
            )
        return self
