"""The group ``study``: what is measured on the trained model at the end of a run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from node_cli.schema.adjoint import AdjointMode
from node_cli.schema.base import AsTuple, Count, Positive, Schema

Modes = Annotated[
    tuple[AdjointMode, ...],
    AsTuple,
    Field(min_length=1),
    "a list of direct, full, seminorm, checkpointed",
]
Tolerances = Annotated[
    tuple[Positive, ...], AsTuple, Field(min_length=1), "a list of finite numbers > 0"
]
Counts = Annotated[tuple[Count, ...], AsTuple, Field(min_length=1), "a list of integers >= 1"]


class NoStudy(Schema):
    """Nothing more is measured."""

    name: Literal["none"]


class GradientFidelityConfig(Schema):
    """The error of gradients and its price, by adjoint mode and tolerance.

    Attributes:
        modes: adjoint modes.
        tolerances: rtol, and atol with it.
        repeats: of the timing, of which the median counts.
    """

    name: Literal["gradient-fidelity"]
    modes: Modes
    tolerances: Tolerances
    repeats: Count


class MemoryScalingConfig(Schema):
    """Memory against the number of evaluations, by adjoint mode.

    Attributes:
        modes: adjoint modes.
        steps: numbers of equal steps of the run's fixed-step solver.
    """

    name: Literal["memory-scaling"]
    modes: Modes
    steps: Counts


class Figure3Config(Schema):
    """Figure 3 of Chen et al. 2018, from this run.

    Attributes:
        tolerances: rtol, and atol with it.
        reference: the tolerance that stands for the truth.
        repeats: of the timing, of which the median counts.
    """

    name: Literal["figure-3"]
    tolerances: Tolerances
    reference: Positive
    repeats: Count


StudyConfig = Annotated[
    NoStudy | GradientFidelityConfig | MemoryScalingConfig | Figure3Config,
    Field(discriminator="name"),
]
