"""The settings of trajectories of known systems."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from node_cli.schema.base import AsTuple, Count, NonNegative, Positive
from node_cli.schema.data import DataSchema
from node_cli.schema.series_file import SeriesFileConfig

Points = Annotated[int, Field(ge=2, le=1_000_000), "an integer >= 2"]
AtLeastOne = Annotated[float, Field(ge=1, le=1000), "a number from 1 to 1000"]
# What the values of a state are: positions beside velocities, or beside momenta, or neither.
StateKind = Literal["velocities", "momenta", "values"]
Pair = Annotated[tuple[Positive, Positive], AsTuple, "a list of 2 numbers > 0, such as [1,1]"]
Triple = Annotated[
    tuple[Positive, Positive, Positive], AsTuple, "a list of 3 numbers > 0, such as [1,1,1]"
]


class SystemConfig(DataSchema):
    """Trajectories that are computed from known equations.

    Attributes:
        trajectories: for training.
        validation: trajectories for validation.
        test: trajectories for the test.
        points: observations of a trajectory, at equal distances, the first at time 0.
        span: the time of the last of them.
        horizon: validation and test go on to so many times the span, to the nearest observation.
        noise: standard deviation of an observation, in the units of the values.
        loss: what is fitted: ``trajectory``, the states that the solver gives from the first one
            of a window on; ``derivative``, the true derivatives at observed states.
        window: points of a training window; null: whole trajectories.
        passes: over all windows in an epoch, which ends with a validation.
        batch_size: windows in a training batch, or points with ``loss=derivative``.
        eval_batch_size: trajectories in a batch of validation or test.
    """

    trajectories: Count
    validation: Count
    test: Count
    points: Points
    span: Positive
    horizon: AtLeastOne
    noise: NonNegative
    loss: Literal["trajectory", "derivative"]
    window: Points | None
    passes: Count

    @property
    def dimensions(self) -> int:
        """Values of a state."""
        return 2

    @property
    def state_kind(self) -> StateKind:
        """What they are."""
        return "values"

    @property
    def beyond(self) -> int:
        """Observations after the span, up to the horizon."""
        return round((self.horizon - 1) * (self.points - 1))

    @model_validator(mode="after")
    def _reaches_its_horizon(self) -> SystemConfig:
        if self.horizon > 1 and self.beyond == 0:
            first = self.points / (self.points - 1)
            raise ValueError(
                f"data.horizon={self.horizon:g} data.points={self.points}: the first observation"
                f" after the span is at {first:.6g} times the span, so that there would be none;"
                f" use data.horizon={first:.6g} or more, or 1 for none, or more data.points."
            )
        return self

    @model_validator(mode="after")
    def _has_windows(self) -> SystemConfig:
        if self.window is not None and self.window > self.points:
            raise ValueError(
                f"data.window={self.window}: must be at most data.points={self.points}, the length"
                " of a trajectory."
            )
        examples, what = self._examples()
        if self.batch_size > examples:
            raise ValueError(
                f"data.batch_size={self.batch_size}: must be at most {examples}, the number of"
                f" {what} that there are for training."
            )
        return self

    def _examples(self) -> tuple[int, str]:
        """How many there are for training, and what they are."""
        if self.loss == "derivative":
            return self.trajectories * self.points, "observations"
        if self.window is None:
            return self.trajectories, "trajectories"
        windows = self.trajectories * (self.points - self.window + 1)
        return windows, f"windows of {self.window} points"


class SpiralConfig(SystemConfig):
    """The cubic spiral of torchdiffeq's ode_demo.py."""

    name: Literal["spiral"]


class LotkaVolterraConfig(SystemConfig):
    """Prey and predators.

    Attributes:
        alpha: growth of the prey.
        beta: what a predator takes of them.
        delta: what predators gain from it.
        gamma: death of predators.
    """

    name: Literal["lotka-volterra"]
    alpha: Positive
    beta: Positive
    delta: Positive
    gamma: Positive


class OscillatorConfig(SystemConfig):
    """A position and its velocity.

    Attributes:
        observed: ``all`` of them, or the ``positions`` alone.
    """

    observed: Literal["all", "positions"]

    @property
    def dimensions(self) -> int:
        """What is observed."""
        return 2 if self.observed == "all" else 1

    @property
    def state_kind(self) -> StateKind:
        """Position and velocity, or one value."""
        return "velocities" if self.observed == "all" else "values"

    @model_validator(mode="after")
    def _has_derivatives(self) -> OscillatorConfig:
        if self.observed == "positions" and self.loss == "derivative":
            raise ValueError(
                "data.observed=positions data.loss=derivative: a velocity does not follow from a"
                " position; use data.loss=trajectory, or data.observed=all."
            )
        return self


class VanDerPolConfig(OscillatorConfig):
    """Van der Pol's oscillator.

    Attributes:
        mu: larger is stiffer.
        forcing: amplitude of a force ``forcing * cos(frequency * t)``.
        frequency: of the force, in radians a unit of time.
    """

    name: Literal["van-der-pol"]
    mu: NonNegative
    forcing: NonNegative
    frequency: Positive


class DampedOscillatorConfig(OscillatorConfig):
    """A mass on a spring with friction."""

    name: Literal["damped-oscillator"]
    mass: Positive
    stiffness: Positive
    damping: NonNegative


class MechanicalConfig(SystemConfig):
    """A system that conserves its energy.

    Attributes:
        coordinates: what stands beside the positions.
    """

    coordinates: Literal["momenta", "velocities"]

    @property
    def state_kind(self) -> StateKind:
        """As chosen."""
        return self.coordinates


class MassSpringConfig(MechanicalConfig):
    """A mass on a spring."""

    name: Literal["mass-spring"]
    mass: Positive
    stiffness: Positive


class PendulumConfig(MechanicalConfig):
    """A mass on a rod."""

    name: Literal["pendulum"]
    mass: Positive
    length: Positive
    gravity: Positive


class DoublePendulumConfig(MechanicalConfig):
    """A pendulum that hangs from another."""

    name: Literal["double-pendulum"]
    masses: Pair
    lengths: Pair
    gravity: Positive

    @property
    def dimensions(self) -> int:
        """Two angles, and what stands beside them."""
        return 4


class BodiesConfig(MechanicalConfig):
    """Bodies in the plane that attract each other.

    Attributes:
        masses: of each.
        gravity: the constant G.
        scatter: share by which each velocity differs from that of a circle, about.
    """

    masses: tuple[Positive, ...]
    gravity: Positive
    scatter: NonNegative

    @property
    def dimensions(self) -> int:
        """Two coordinates of each, and what stands beside them."""
        return 4 * len(self.masses)


class TwoBodyConfig(BodiesConfig):
    """Two bodies."""

    name: Literal["two-body"]
    masses: Pair


class ThreeBodyConfig(BodiesConfig):
    """Three bodies."""

    name: Literal["three-body"]
    masses: Triple


class LorenzConfig(SystemConfig):
    """Lorenz's system."""

    name: Literal["lorenz"]
    sigma: Positive
    rho: Positive
    beta: Positive

    @property
    def dimensions(self) -> int:
        """Three."""
        return 3


class ReflectionConfig(DataSchema):
    """The map x -> -x as trajectories of two points (Norcliffe et al. 2020).

    Attributes:
        dimensions: of x; a first-order field can learn the map where they are even, since it keeps
            the orientation of space.
        trajectories: for training.
        validation: trajectories for validation.
        test: trajectories for the test.
        batch_size: trajectories in a training batch.
        eval_batch_size: trajectories in a batch of validation or test.
    """

    name: Literal["reflection"]
    dimensions: Count
    trajectories: Count
    validation: Count
    test: Count

    @model_validator(mode="after")
    def _fills_a_batch(self) -> ReflectionConfig:
        if self.batch_size > self.trajectories:
            raise ValueError(
                f"data.batch_size={self.batch_size}: must be at most"
                f" data.trajectories={self.trajectories}."
            )
        return self


class TrajectoryFileConfig(SeriesFileConfig):
    """Trajectories in a file of your own, each series one; no value may be missing."""

    @model_validator(mode="after")
    def _has_no_classes(self) -> TrajectoryFileConfig:
        if self.label is not None:
            raise ValueError(
                f"data.label={self.label}: this task learns no classes; leave it out, and the"
                " column out of the file."
            )
        return self


TrajectoryConfig = SystemConfig | ReflectionConfig | TrajectoryFileConfig
