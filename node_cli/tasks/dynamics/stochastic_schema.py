"""The settings of SDEs: of known ones, and of one that is learned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from node_cli.methods import Calculus, Stochastic
from node_cli.schema.base import Positive
from node_cli.schema.model import ModelSchema
from node_cli.schema.vector_field import Activation, Widths
from node_cli.tasks.dynamics.schema import SystemConfig, TrajectoryFileConfig

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig


class StochasticSystemConfig(SystemConfig):
    """Paths of a known SDE of one value.

    Attributes:
        loss: as of other systems, for a model that is an ODE; null: ``trajectory``. A model that is
            an SDE is fitted to increments.
    """

    loss: Literal["trajectory", "derivative"] | None  # type: ignore[assignment]

    @property
    def dimensions(self) -> int:
        """One."""
        return 1

    def _examples(self) -> tuple[int, str]:
        """Increments, of which windows of a model that is an ODE are made."""
        if self.loss is None:
            return self.trajectories * (self.points - 1), "increments"
        return super()._examples()


class OrnsteinUhlenbeckConfig(StochasticSystemConfig):
    """dx = theta (mean - x) dt + sigma dW."""

    name: Literal["ornstein-uhlenbeck"]
    theta: Positive
    mean: float
    sigma: Positive


class GeometricBrownianConfig(StochasticSystemConfig):
    """dx = mu x dt + sigma x dW, in the sense of Itô."""

    name: Literal["geometric-brownian"]
    mu: float
    sigma: Positive


class DoubleWellConfig(StochasticSystemConfig):
    """dx = (a x - b x^3) dt + sigma dW."""

    name: Literal["double-well"]
    a: Positive
    b: Positive
    sigma: Positive


class SdeConfig(ModelSchema):
    """Perceptrons as drift and diffusion.

    Attributes:
        hidden: widths of the hidden layers of each.
        activation: after each of them.
        time: t is an input of the drift too.
        calculus: in which they are meant, and solved.
        noise: ``diagonal``, the diffusion of a value is a function of it; ``additive``, a number.
    """

    name: Literal["sde"]
    hidden: Widths
    activation: Activation
    time: bool
    calculus: Calculus
    noise: Literal["diagonal", "additive"]

    @property
    def stochastic(self) -> Stochastic:
        """As chosen."""
        return Stochastic(self.calculus, self.noise)

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """It is fitted to increments of what has noise, observed as it is."""
        data = config.data
        if isinstance(data, StochasticSystemConfig):
            if data.loss is not None:
                yield (
                    f"model=sde data.loss={data.loss}: an SDE has no trajectory to come near to; it"
                    " is fitted by the likelihood of increments. Leave data.loss out, or use"
                    " model=mlp-field."
                )
            if data.noise > 0:
                yield (
                    f"model=sde data.noise={data.noise:g}: errors of observation would be learned"
                    " as diffusion; use data.noise=0."
                )
        elif isinstance(data, TrajectoryFileConfig):
            if data.window is not None:
                yield (
                    f"model=sde data.window={data.window}: an SDE is fitted to increments from one"
                    " point to the next; leave data.window out."
                )
        else:
            yield (
                f"model=sde data={data.name}: these data have no noise, so that the diffusion would"
                " be learned to be 0; use data=ornstein-uhlenbeck, geometric-brownian, double-well"
                " or csv, or model=mlp-field."
            )
