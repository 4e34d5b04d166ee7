"""The group ``optimizer``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from node_cli.schema.base import (
    AsTuple,
    FromZeroBelowOne,
    NonNegative,
    Positive,
    Schema,
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
