"""The group ``adjoint``."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from node_cli.methods import SOLVERS
from node_cli.schema.base import Count, NonNegative, Positive, Schema
from node_cli.schema.spelling import no_such

AdjointMode = Literal["direct", "full", "seminorm", "checkpointed"]


ADJOINT_MODES: tuple[AdjointMode, ...] = get_args(AdjointMode)


class AdjointConfig(Schema):
    """The way to the gradients.

    Attributes:
        mode: ``direct`` backpropagates through the solver; ``full`` and ``seminorm`` solve the
            continuous adjoint; ``checkpointed`` replays each accepted step.
        solver: of the continuous adjoint; null: as forward.
        rtol: of the continuous adjoint; null: as forward.
        atol: of the continuous adjoint; null: as forward.
        step_size: of the continuous adjoint's fixed-step solver; null: as forward.
        check_every: compare the gradient with a far more accurate one each so many steps.
    """

    mode: Annotated[
        AdjointMode,
        Field(description="direct; full: Chen et al. 2018; seminorm: Kidger et al. 2021"),
    ]
    solver: str | None
    rtol: NonNegative | None
    atol: NonNegative | None
    step_size: Positive | None
    check_every: Count | None

    @property
    def continuous(self) -> bool:
        """Whether a backward problem of its own is solved."""
        return self.mode in ("full", "seminorm")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> AdjointConfig:
        for key in ("solver", "rtol", "atol", "step_size"):
            if not self.continuous and getattr(self, key) is not None:
                raise ValueError(
                    f"adjoint.{key}={getattr(self, key)}: adjoint={self.mode} solves nothing"
                    f" backwards; leave adjoint.{key} out, or use adjoint=full."
                )
        if self.solver is not None and self.solver not in SOLVERS:
            raise ValueError(no_such("solver", "adjoint.solver", self.solver, sorted(SOLVERS)))
        return self
