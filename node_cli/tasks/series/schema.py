"""The settings of time series, and of the models for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from node_cli.schema.base import (
    MOST,
    AsTuple,
    BetweenZeroAndOne,
    Count,
    FromZeroBelowOne,
    NonNegative,
    Positive,
    Text,
)
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema
from node_cli.schema.series_file import SeriesFileConfig, refuse_shares_of_one

CLASS_WEIGHT = 100.0  # in the YAML files too; runs from before there were classes name none
SomePoints = Annotated[int, Field(ge=2, le=MOST), f"an integer >= 2 and <= {MOST}"]
GRID_POINTS = 100  # of the observed interval of a spiral or of a periodic series


class SyntheticSeriesConfig(DataSchema):
    """Series that are made from a seed.

    Attributes:
        series: for training.
        validation: series for validation.
        test: series for the test.
        points: kept of the 100 on each series' grid, chosen at random; 100 is a regular series.
        noise: standard deviation of what is observed.
        batch_size: series in a training batch.
        eval_batch_size: series in a batch of validation or test.
    """

    series: Count
    validation: Count
    test: Count
    points: Annotated[int, Field(ge=2, le=GRID_POINTS), f"an integer from 2 to {GRID_POINTS}"]
    noise: NonNegative

    @model_validator(mode="after")
    def _fills_a_batch(self) -> SyntheticSeriesConfig:
        if self.batch_size > self.series:
            raise ValueError(
                f"data.batch_size={self.batch_size}: must be at most data.series={self.series}."
            )
        return self


class SpiralsConfig(SyntheticSeriesConfig):
    """The bidirectional spirals of Chen et al. 2018."""

    name: Literal["spirals"]


class PeriodicConfig(SyntheticSeriesConfig):
    """The periodic series of Rubanova et al. 2019; ``mode`` is the task set by them."""

    name: Literal["periodic"]
    mode: Literal["interpolation", "extrapolation"]


class SeriesTableConfig(SeriesFileConfig):
    """Your own series, whole."""

    @model_validator(mode="after")
    def _has_no_windows(self) -> SeriesTableConfig:
        if self.window is not None:
            raise ValueError(
                f"data.window={self.window}: this task trains on whole series; leave it out."
            )
        return self


class PublishedSeriesConfig(DataSchema):
    """Series that somebody has published, or that a published simulator gives.

    Attributes:
        mode: ``interpolation`` hides a share of the points within each series, ``extrapolation``
            the last part of each.
        hidden: that share.
        batch_size: series in a training batch.
        eval_batch_size: series in a batch of validation or test.
    """

    mode: Literal["interpolation", "extrapolation"]
    hidden: FromZeroBelowOne


class GlucoseConfig(PublishedSeriesConfig):
    """One person's glucose, in parts of days.

    Attributes:
        hours: of a part.
        points: kept of each part, at random; null: all, about 11 an hour.
        validation: share of the parts for validation.
        test: share of the parts for the test, the last ones.
    """

    name: Literal["glucose"]
    hours: Literal[1, 2, 3, 4, 6, 8, 12, 24]
    points: SomePoints | None
    validation: BetweenZeroAndOne
    test: BetweenZeroAndOne

    @model_validator(mode="after")
    def _leaves_days_for_training(self) -> GlucoseConfig:
        refuse_shares_of_one(self.validation, self.test)
        return self


class ArchiveConfig(PublishedSeriesConfig):
    """Series with classes of the UEA archive, with its own test set.

    Attributes:
        validation: share of the training series of each class for validation.
    """

    name: Literal["japanese-vowels", "basic-motions"]
    validation: BetweenZeroAndOne


class HopperConfig(PublishedSeriesConfig):
    """Flights of a hopper, simulated.

    Attributes:
        series: for training.
        validation: series for validation.
        test: series for the test.
        points: of each series, 0.005 s apart.
    """

    name: Literal["hopper"]
    series: Count
    validation: Count
    test: Count
    points: SomePoints


class PhysionetConfig(PublishedSeriesConfig):
    """Stays in intensive care of the PhysioNet Challenge 2012.

    Attributes:
        root: folder of its files.
        sets: that are read, of a, b and c.
        quantum: times are brought to multiples of so many hours; 0: they are left as they are.
        validation: share of the stays for validation.
        test: share of the stays for the test.
    """

    name: Literal["physionet"]
    root: Text | None
    sets: Annotated[
        tuple[Literal["a", "b", "c"], ...],
        AsTuple,
        Field(min_length=1),
        "a list of a, b and c, such as [a]",
    ]
    quantum: NonNegative
    validation: BetweenZeroAndOne
    test: BetweenZeroAndOne

    @property
    def own_file(self) -> Path | None:
        """The folder of its files."""
        return None if self.root is None else Path(self.root)

    @model_validator(mode="after")
    def _has_files_and_three_parts(self) -> PhysionetConfig:
        if self.root is None:
            raise ValueError(
                "data=physionet needs the files of the PhysioNet Challenge 2012: give"
                " data.root=PATH, a folder with set-a and Outcomes-a.txt in it."
            )
        if len(set(self.sets)) < len(self.sets):
            raise ValueError(f"data.sets=[{','.join(self.sets)}]: name each set once.")
        refuse_shares_of_one(self.validation, self.test)
        return self


RealSeriesConfig = (
    SeriesTableConfig | GlucoseConfig | ArchiveConfig | HopperConfig | PhysionetConfig
)
SeriesConfig = SpiralsConfig | PeriodicConfig | RealSeriesConfig


def has_classes(config: SeriesConfig) -> bool:
    """Whether the series have classes, which models learn beside the values."""
    if isinstance(config, SeriesTableConfig):
        return config.label is not None
    return isinstance(config, ArchiveConfig | PhysionetConfig)


class VariationalConfig(ModelSchema):
    """What the latent-variable models of series share.

    Attributes:
        latent: dimensions of z.
        encoder: ``rnn`` and ``gru`` run backwards over the observations; ``ode-rnn`` solves an ODE
            between them (Rubanova et al. 2019).
        encoder_hidden: width of the encoder.
        encoder_gaps: the time to the next observation is an input of ``rnn`` and ``gru``.
        decoder_hidden: width of the decoder's hidden layer.
        noise: standard deviation of the Gaussian likelihood, in the units of the data (of
            standardised ones for ``data=csv``).
        learn_noise: it is a parameter and starts at the value given.
        kl_warmup: share of the run over which the weight of the KL rises from 0 to 1.
        samples: of the posterior, for each series and step.
        iwae_samples: of the importance-weighted bound in the evaluation (Burda et al. 2016).
        class_weight: of the cross-entropy, beside the negative ELBO, where series have classes.
    """

    latent: Count
    encoder: Literal["rnn", "gru", "ode-rnn"]
    encoder_hidden: Count
    encoder_gaps: bool
    decoder_hidden: Count
    noise: Positive
    learn_noise: bool
    kl_warmup: FromZeroBelowOne
    samples: Count
    iwae_samples: Count
    class_weight: NonNegative = CLASS_WEIGHT

    @property
    def solves_an_ode(self) -> bool:
        """Where the encoder does."""
        return self.encoder == "ode-rnn"


class LatentOdeConfig(VariationalConfig):
    """The latent ODE.

    Attributes:
        hidden: widths of the hidden layers of the dynamics.
        poisson: the times of the observations are modelled too, by a Poisson process.
    """

    name: Literal["latent-ode"]
    hidden: Annotated[
        tuple[Count, ...], AsTuple, Field(min_length=1), "a list of integers >= 1, such as [20,20]"
    ]
    poisson: bool

    @property
    def solves_an_ode(self) -> bool:
        """It decodes by one."""
        return True


class RnnVaeConfig(VariationalConfig):
    """A recurrent network in the place of the latent ODE, told the time between two outputs."""

    name: Literal["rnn-vae"]
    hidden: Count


class AutoregressiveConfig(ModelSchema):
    """A recurrent network that predicts the next observation.

    Attributes:
        hidden: width.
        gaps: the time to the next observation is an input.
        between: what happens to the hidden state between two observations: nothing, exponential
            decay, or an ODE (ODE-RNN).
        noise: standard deviation of the Gaussian likelihood.
        learn_noise: it is a parameter and starts at the value given.
        class_weight: of the cross-entropy, beside the negative log-likelihood, where series have
            classes.
    """

    name: Literal["rnn", "rnn-decay", "ode-rnn"]
    hidden: Count
    gaps: bool
    noise: Positive
    learn_noise: bool
    class_weight: NonNegative = CLASS_WEIGHT

    @property
    def solves_an_ode(self) -> bool:
        """Between two observations, in one of them."""
        return self.name == "ode-rnn"


SeriesModelConfig = LatentOdeConfig | RnnVaeConfig | AutoregressiveConfig
