"""The group ``trainer``."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from node_cli.schema.base import (
    Count,
    Positive,
    Schema,
    Text,
)

_DEVICE = r"^(auto|cpu|cuda(:\d{1,3})?)$"


def is_device(text: str) -> bool:
    """Whether a device can be called so."""
    return re.fullmatch(_DEVICE, text) is not None


class TrainerConfig(Schema):
    """Length of the run, device, logging and checkpoints; null: no limit, or torch's choice."""

    max_epochs: Count | None
    max_steps: Count | None
    max_minutes: Positive | None
    log_every: Count
    checkpoint_every: Count
    clip_norm: Positive | None
    precision: Literal["fp32", "bf16", "fp16"]
    device: Annotated[str, Field(pattern=_DEVICE), "one of auto, cpu, cuda, cuda:N"]
    threads: Count | None
    patience: Count | None
    overfit_batches: Count | None
    figures: bool
    figures_every: Count
    keep_predictions: bool = False  # runs from before it have none
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
