"""The settings of adversarial neural SDEs, and of the paths that they learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from node_cli.methods import Stochastic
from node_cli.schema.base import Count, FromZeroBelowOne, Positive
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig

MOST_POINTS = 10_000
Points = Annotated[int, Field(ge=3, le=MOST_POINTS), f"an integer from 3 to {MOST_POINTS}"]


class TimeDependentOuConfig(DataSchema):
    r"""Paths of an Ornstein-Uhlenbeck process whose mean moves (Kidger et al. 2021, section 4).

    .. math:: dy = (\mu t - \theta y)\, dt + \sigma\, dW, \qquad y(0) \sim U(-1, 1)

    Attributes:
        mu: of the drift.
        theta: likewise.
        sigma: the diffusion.
        points: of a path, at the times 0, 1, 2, ...
        series: paths for training.
        validation: paths.
        test: paths.
        batch_size: paths in a training batch.
        eval_batch_size: paths in a batch of validation or test.
    """

    name: Literal["time-dependent-ou"]
    mu: float
    theta: Positive
    sigma: Positive
    points: Points
    series: Count
    validation: Annotated[int, Field(ge=2), "an integer >= 2"]
    test: Annotated[int, Field(ge=2), "an integer >= 2"]

    @model_validator(mode="after")
    def _fills_a_batch(self) -> TimeDependentOuConfig:
        if self.batch_size > self.series:
            raise ValueError(
                f"data.batch_size={self.batch_size}: must be at most data.series={self.series}."
            )
        return self


class SdeGanConfig(ModelSchema):
    """A neural SDE and the neural controlled differential equation that judges its paths.

    Attributes:
        state: dimensions of the states of both.
        hidden: width of the two hidden layers of all networks.
        noise: channels of the Brownian motion.
        start_noise: normal numbers that an initial state is made of.
        penalty: weight of the penalty on gradients that keeps the discriminator Lipschitz.
        average: the generator's weights of the evaluation are a moving average with this factor.
        discriminator_rate: the learning rate of the discriminator, as a multiple of
            ``optimizer.lr``, which is the generator's.
    """

    name: Literal["sde-gan"]
    state: Count
    hidden: Count
    noise: Count
    start_noise: Count
    penalty: Positive
    average: FromZeroBelowOne
    discriminator_rate: Positive

    @property
    def stochastic(self) -> Stochastic:
        """Its diffusion is a matrix that depends on the state."""
        return Stochastic("stratonovich", "general")

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """The discriminator is solved along a path that needs gradients itself."""
        if config.adjoint.mode == "full":
            yield (
                "adjoint=full model=sde-gan: the discriminator's gradient by the paths, of which"
                " the generator learns, goes through the solver's operations; use adjoint=direct."
            )
        if config.solver.kind == "adaptive":
            yield (
                "solver.kind=adaptive model=sde-gan: the discriminator is driven by paths that are"
                " known at their points; use solver.kind=fixed."
            )
