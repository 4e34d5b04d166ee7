"""The settings of the bouncing ball, and of the model that learns it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from node_cli.methods import METHODS
from node_cli.schema.base import (
    AboveZeroToOne,
    BetweenZeroAndOne,
    FromZeroBelowOne,
    NonNegative,
    Positive,
)
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema
from node_cli.tasks.bouncing_ball.flight import Flight

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig

MOST_IMPACTS = 100
Times = Annotated[int, Field(ge=1, le=100_000), "an integer from 1 to 100000"]


class BouncesConfig(DataSchema):
    """Heights of one ball at random times, with noise; lengths are in m, times in s.

    Attributes:
        gravity: the true one, downwards, in m/s^2.
        restitution: the true one: the speed after an impact by the speed before.
        height: of the ball at t = 0.
        velocity: then, upwards, in m/s.
        ground: its height.
        window: training and validation see the times up to it.
        horizon: the test asks for times up to it.
        points: observations for training.
        validation: observations for validation.
        test: times of the test.
        noise: standard deviation of an observation, in m.
        batch_size: observations in a training batch.
        eval_batch_size: observations in a batch of validation or test.
    """

    name: Literal["bounces"]
    gravity: Positive
    restitution: AboveZeroToOne
    height: float
    velocity: float
    ground: float
    window: Positive
    horizon: Positive
    points: Times
    validation: Times
    test: Times
    noise: NonNegative

    @property
    def flight(self) -> Flight:
        """The true ball."""
        return Flight(self.height, self.velocity, self.ground, self.gravity, self.restitution)

    @model_validator(mode="after")
    def _can_be_learned(self) -> BouncesConfig:
        if self.height <= self.ground:
            raise ValueError(
                f"data.height={self.height:g}: must be above data.ground={self.ground:g}, where"
                " the ball bounces."
            )
        if self.horizon <= self.window:
            raise ValueError(
                f"data.horizon={self.horizon:g}: must be after data.window={self.window:g}, the end"
                " of the times for training."
            )
        first, *_, last = islice(self.flight.impacts(), MOST_IMPACTS)
        if first.time >= self.window:
            raise ValueError(
                f"data.window={self.window:g}: must be after the first impact, which is at"
                f" {first.time:.4g} s; else nothing is seen of the restitution."
            )
        if last.time <= self.horizon:
            raise ValueError(
                f"data.horizon={self.horizon:g}: must be before impact {MOST_IMPACTS}, which is at"
                f" {last.time:.4g} s; a ball that comes to rest has infinitely many."
            )
        if self.batch_size > self.points:
            raise ValueError(
                f"data.batch_size={self.batch_size}: must be at most data.points={self.points}."
            )
        return self


class BallConfig(ModelSchema):
    """A ball with parameters for what is to be learned.

    Attributes:
        gravity: at which training starts, in m/s^2.
        restitution: likewise.
        learn_start: height and velocity at t = 0 are learned too, from the first observation and 0
            on; false: they are known.
        learn_ground: the height of the ground is learned too, from the lowest observation on;
            false: it is known.
        opening: share of the run over which the window of training opens, from the first fifth of
            it to all. A late bounce says nothing while the earlier ones are out of step.
    """

    name: Literal["ball"]
    gravity: Positive
    restitution: BetweenZeroAndOne
    learn_start: bool
    learn_ground: bool
    opening: FromZeroBelowOne

    @property
    def solves_an_ode(self) -> bool:
        """Between two bounces."""
        return True

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """Only our own solvers stop at an event; nothing is compiled there, or goes back."""
        if config.compile.mode != "off":
            yield (
                f"compile={config.compile.mode} model=ball: its solves end at events, and their"
                " steps cannot be compiled; use compile=off."
            )
        if config.evaluation.round_trip is True:
            yield (
                "model=ball evaluation.round_trip=true: the way back leads through bounces, which"
                " are not undone; use evaluation.round_trip=false."
            )
        if config.backend.name != "native":
            yield (
                f"model=ball backend={config.backend.name}: bounces are events, which only our own"
                " solvers stop at; use backend=native."
            )
        for key, name in (
            ("solver", config.solver.name),
            ("evaluation.solver", config.evaluation.solver),
        ):
            if name is not None and METHODS[name].kind == "scipy":
                yield (
                    f"model=ball {key}={name}: bounces are events, which only our own solvers stop"
                    f" at; use one such as {key}=dopri5."
                )
