"""The groups ``optimizer``, ``schedule`` and ``trainer``."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from node_cli.config.schema import (
    AboveZeroToOne,
    AsTuple,
    BetweenZeroAndOne,
    Count,
    FromZeroBelowOne,
    FromZeroToOne,
    NonNegative,
    Positive,
    Schema,
    Text,
)


class SGDConfig(Schema):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"]
    lr: Positive
    momentum: FromZeroBelowOne
    nesterov: bool
    weight_decay: NonNegative

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SGDConfig:
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                "optimizer.nesterov=true: needs optimizer.momentum > 0, for example 0.9."
            )
        return self


class AdamConfig(Schema):
    """Adam, or AdamW with decoupled weight decay."""

    name: Literal["adam", "adamw"]
    lr: Positive
    betas: Annotated[
        tuple[FromZeroBelowOne, FromZeroBelowOne], AsTuple, "two numbers from 0 to below 1"
    ]
    weight_decay: NonNegative


OptimizerConfig = Annotated[SGDConfig | AdamConfig, Field(discriminator="name")]


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


class TrainerConfig(Schema):
    """Length of the run, device, logging and checkpoints; null: no limit, or torch's choice."""

    max_epochs: Count | None
    max_steps: Count | None
    max_minutes: Positive | None
    log_every: Count
    checkpoint_every: Count
    clip_norm: Positive | None
    precision: Literal["fp32", "bf16", "fp16"]
    device: Annotated[
        str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$"), "one of auto, cpu, cuda, cuda:N"
    ]
    threads: Count | None
    patience: Count | None
    overfit_batches: Count | None
    figures: bool
    figures_every: Count
    resume: Text | None
    progress: Literal["auto", "bar", "lines", "off"]

    @model_validator(mode="after")
    def _ends_and_fits_its_device(self) -> TrainerConfig:
        if self.max_epochs is None and self.max_steps is None and self.max_minutes is None:
            raise ValueError(
                "trainer.max_epochs=null trainer.max_steps=null trainer.max_minutes=null: a run"
                " must end; give at least one of them."
            )
        if self.precision == "fp16" and self.device == "cpu":
            raise ValueError(
                "trainer.precision=fp16 trainer.device=cpu: fp16 needs a CUDA device; on the CPU"
                " use trainer.precision=bf16 or fp32."
            )
        return self
