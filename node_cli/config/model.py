"""The group ``model``: image classifiers, and continuous flows, which have a file of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from node_cli.config.flow import HypernetworkConfig, LayeredFlowConfig
from node_cli.config.schema import Count, Positive, Schema
from node_cli.config.series import (
    AutoregressiveConfig,
    LatentOdeConfig,
    SeriesModelConfig,
    VariationalConfig,
)


class ImageClassifierConfig(Schema):
    """What all image classifiers share.

    Attributes:
        stem: how the image is downsampled.
        channels: of the stem's output and of the block of depth.
    """

    stem: Literal["conv", "residual"]
    channels: Count

    @field_validator("channels")
    @classmethod
    def _fills_the_groups(cls, channels: int) -> int:
        if channels > 32 and channels % 32:
            below = channels - channels % 32
            raise ValueError(
                f"model.channels={channels}: must be at most 32 or a multiple of 32, because of"
                f" group normalisation; the nearest are {below} and {below + 32}."
            )
        return channels


class OdeNetConfig(ImageClassifierConfig):
    """ODE-Net and RK-Net: ``y(0) -> y(T)``; with ``learn_time``, ``T`` is a parameter."""

    name: Literal["odenet", "rk-net"]
    T: Positive
    learn_time: bool


class ResNetConfig(ImageClassifierConfig):
    """Residual blocks in the place of the ODE."""

    name: Literal["resnet"]
    blocks: Count


class EulerNetConfig(ImageClassifierConfig):
    """``blocks`` Euler steps of ``T / blocks``; ``tied``: all of one vector field."""

    name: Literal["euler-net"]
    T: Positive
    blocks: Count
    tied: bool


ClassifierConfig = OdeNetConfig | ResNetConfig | EulerNetConfig
FlowModelConfig = HypernetworkConfig | LayeredFlowConfig
ModelConfig = Annotated[
    ClassifierConfig | FlowModelConfig | SeriesModelConfig, Field(discriminator="name")
]


def solves_an_ode(model: ModelConfig) -> bool:
    """Whether a model has a solve that the groups ``solver`` and ``adjoint`` decide about."""
    if isinstance(model, VariationalConfig):
        return isinstance(model, LatentOdeConfig) or model.encoder == "ode-rnn"
    if isinstance(model, AutoregressiveConfig):
        return model.name == "ode-rnn"
    return isinstance(model, OdeNetConfig | FlowModelConfig)


def interval(model: ModelConfig) -> float | None:
    """The length of the interval over which a model's ODE is solved; None: the data decide."""
    return model.T if isinstance(model, OdeNetConfig | FlowModelConfig) else None
