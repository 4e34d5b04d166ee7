"""The settings of latent SDEs, and of the series that they learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from node_cli.methods import Calculus, Stochastic
from node_cli.schema.base import (
    AsTuple,
    BetweenZeroAndOne,
    Count,
    FromZeroBelowOne,
    NonNegative,
    Positive,
)
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema
from node_cli.schema.series_file import SeriesFileConfig
from node_cli.schema.vector_field import Activation

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig

MOST_POINTS = 100_000
Points = Annotated[int, Field(ge=2, le=MOST_POINTS), f"an integer from 2 to {MOST_POINTS}"]
Three = Annotated[
    tuple[NonNegative, NonNegative, NonNegative],
    AsTuple,
    "a list of three numbers >= 0, such as [0.1,0.28,0.3]",
]
Further = Annotated[int, Field(ge=0, le=MOST_POINTS), f"an integer from 0 to {MOST_POINTS}"]


class OuSegmentsConfig(DataSchema):
    """One series: 20 points on two segments of a cosine, as in Li et al. 2020, section 7.1.

    What lies between and beyond the segments is held out. The prior is given with it, an
    Ornstein-Uhlenbeck process, so that the true posterior is known.

    Attributes:
        theta: rate at which the prior returns to its mean.
        mu: its mean.
        sigma: its diffusion.
        noise: standard deviation of what is observed.
        steps: training steps of an epoch.
        batch_size: 1: there is one series, of which ``model.samples`` paths make a batch.
        eval_batch_size: likewise.
    """

    name: Literal["ou-segments"]
    theta: Positive
    mu: float
    sigma: Positive
    noise: NonNegative
    steps: Count

    @model_validator(mode="after")
    def _is_one_series(self) -> OuSegmentsConfig:
        for key in ("batch_size", "eval_batch_size"):
            if getattr(self, key) != 1:
                raise ValueError(
                    f"data.{key}={getattr(self, key)}: data=ou-segments is one series; leave it"
                    " out, and give the number of its paths by model.samples or"
                    " model.eval_samples."
                )
        return self


class StochasticLorenzConfig(DataSchema):
    """Paths of a stochastic Lorenz system, as in Li et al. 2020, section 7.2.

    Attributes:
        series: for training.
        validation: series for validation.
        test: series for the test.
        points: that are observed, at equal distances from time 0 on.
        span: the time of the last of them.
        forward: further points at the same distances, that validation and test ask for.
        sigma: of the drift, like ``rho`` and ``beta``.
        rho: likewise.
        beta: likewise.
        diffusion: of each coordinate, as a multiple of the coordinate.
        noise: standard deviation of what is observed, in units of the data's deviation.
        batch_size: series in a training batch.
        eval_batch_size: series in a batch of validation or test.
    """

    name: Literal["stochastic-lorenz"]
    series: Count
    validation: Count
    test: Count
    points: Points
    span: Positive
    forward: Further
    sigma: float
    rho: float
    beta: float
    diffusion: Three
    noise: NonNegative

    @model_validator(mode="after")
    def _fills_a_batch(self) -> StochasticLorenzConfig:
        if self.batch_size > self.series:
            raise ValueError(
                f"data.batch_size={self.batch_size}: must be at most data.series={self.series}."
            )
        return self


class SeriesTableConfig(SeriesFileConfig):
    """Your own series, whole and without classes."""

    @model_validator(mode="after")
    def _is_whole_and_has_no_classes(self) -> SeriesTableConfig:
        if self.label is not None:
            raise ValueError(
                f"data.label={self.label}: this task learns no classes; leave it out, and the"
                " column out of the file."
            )
        if self.window is not None:
            raise ValueError(
                f"data.window={self.window}: this task trains on whole series; leave it out."
            )
        return self


class InflationConfig(DataSchema):
    """Monthly core inflation of the USA from 1957 to 2018, in windows.

    Attributes:
        points: months that are observed of a window.
        forward: months after them that validation and test ask for.
        stride: months from the start of a window to that of the next one.
        validation: share of the months, after those of training.
        test: share of the months, the last ones.
        batch_size: windows in a training batch.
        eval_batch_size: windows in a batch of validation or test.
    """

    name: Literal["inflation"]
    points: Points
    forward: Further
    stride: Count
    validation: BetweenZeroAndOne
    test: BetweenZeroAndOne

    @model_validator(mode="after")
    def _leaves_some_for_training(self) -> InflationConfig:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"data.validation={self.validation:g} data.test={self.test:g}: together they must"
                " be below 1, so that months are left for training."
            )
        return self


class LatentSdeConfig(ModelSchema):
    """The latent SDE of Li et al. 2020.

    Attributes:
        latent: dimensions of z; null: 4. Like ``context``, not for ``data=ou-segments``, whose
            series is z itself.
        context: what the encoder tells the drift of the posterior, values at each time; null: 64.
        frequencies: of one series, whose posterior's drift is told the sines and cosines of so many
            multiples of the time, 1, 2, 4, ...; null: 4.
        hidden: width of all networks.
        activation: of the drifts and the diffusion.
        calculus: in which the SDE is meant.
        likelihood: of what is observed.
        noise: its standard deviation (of a Laplace distribution: its scale), in the units of the
            data (standardised ones but for ``data=ou-segments``).
        learn_noise: it is a parameter and starts at the value given.
        kl_warmup: share of the run over which the weight of the KL rises from 0 to 1.
        samples: paths of the posterior, for each series and step; null: 64 of one series, else 1.
        eval_samples: the same in the evaluation; null: 1024 of one series, else 50.
    """

    name: Literal["latent-sde"]
    latent: Count | None
    context: Count | None
    frequencies: Annotated[int, Field(ge=1, le=10), "an integer from 1 to 10"] | None
    hidden: Count
    activation: Activation
    calculus: Calculus
    likelihood: Literal["normal", "laplace"]
    noise: Positive
    learn_noise: bool
    kl_warmup: FromZeroBelowOne
    samples: Count | None
    eval_samples: Count | None

    @property
    def stochastic(self) -> Stochastic:
        """Each latent dimension has noise of its own."""
        return Stochastic(self.calculus, "diagonal")

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """What is of the encoder has no sense where there is none, and the other way round."""
        if not isinstance(config.data, OuSegmentsConfig):
            if self.frequencies is not None:
                yield (
                    f"model.frequencies={self.frequencies} data={config.data.name}: the drift is"
                    " told of the time by the encoder, and by sines and cosines only with"
                    " data=ou-segments; leave it out."
                )
            return
        for key in ("latent", "context"):
            given = getattr(self, key)
            if given is not None:
                yield (
                    f"model.{key}={given} data={config.data.name}: this one series is the latent"
                    f" state itself, and has no encoder; leave model.{key} out."
                )


SeriesConfig = OuSegmentsConfig | StochasticLorenzConfig | SeriesTableConfig | InflationConfig
