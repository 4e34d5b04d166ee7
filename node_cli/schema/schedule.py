"""The group ``schedule``: the learning rate over the run."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from node_cli.schema.base import (
    AboveZeroToOne,
    AsTuple,
    BetweenZeroAndOne,
    FromZeroBelowOne,
    FromZeroToOne,
    Schema,
)


class ConstantConfig(Schema):
    """The same learning rate throughout."""

    name: Literal["constant"]


class StepConfig(Schema):
    """The learning rate times ``gamma`` at each milestone.

    Attributes:
        milestones: fractions of the run, increasing.
        gamma: factor.
        warmup: fraction of the run in which the rate rises linearly from 0.
    """

    name: Literal["step"]
    milestones: Annotated[
        tuple[BetweenZeroAndOne, ...], AsTuple, "a list of increasing numbers between 0 and 1"
    ]
    gamma: AboveZeroToOne
    warmup: FromZeroBelowOne

    @field_validator("milestones")
    @classmethod
    def _increase(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        if any(later <= earlier for earlier, later in pairwise(milestones)):
            raise ValueError(
                f"schedule.milestones={list(milestones)}: must increase, as fractions of the run"
                " between 0 and 1."
            )
        return milestones


class CosineConfig(Schema):
    """Half a cosine from ``lr`` to ``final * lr``, after ``warmup`` (a fraction of the run)."""

    name: Literal["cosine"]
    final: FromZeroToOne
    warmup: FromZeroBelowOne


ScheduleConfig = Annotated[ConstantConfig | StepConfig | CosineConfig, Field(discriminator="name")]
