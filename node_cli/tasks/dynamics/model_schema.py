"""The settings of models of dynamics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from node_cli.methods import Structure
from node_cli.schema.model import ModelSchema
from node_cli.schema.vector_field import (
    AugmentedConfig,
    MlpFieldConfig,
    SecondOrderConfig,
    Widths,
)
from node_cli.tasks.dynamics.schema import ReflectionConfig, SystemConfig

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig


def _is_fitted_to_derivatives(config: RunConfig) -> bool:
    return isinstance(config.data, SystemConfig) and config.data.loss == "derivative"


class MlpConfig(MlpFieldConfig):
    """A perceptron as the vector field."""


class AugmentedMlpConfig(AugmentedConfig):
    """A perceptron as the vector field of a larger state."""

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """Nothing is known of the derivatives of what is added."""
        if _is_fitted_to_derivatives(config):
            yield (
                "model=augmented data.loss=derivative: nothing is known of the derivatives of the"
                " added values; use data.loss=trajectory, or model=mlp-field."
            )


class SecondOrderMlpConfig(SecondOrderConfig):
    """A perceptron as the acceleration."""

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """Velocities that are observed have to be there; others have no known derivatives."""
        if self.velocity == "observed":
            yield from _needs_velocities(self.name, config)
        elif _is_fitted_to_derivatives(config):
            yield (
                f"model=second-order model.velocity={self.velocity} data.loss=derivative: nothing"
                " is known of the accelerations of the values; use data.loss=trajectory."
            )


class HamiltonianConfig(ModelSchema):
    """A Hamiltonian neural network.

    Attributes:
        hidden: widths of the hidden layers.
        activation: after each of them.
        separable: the energy is a sum T(p) + V(q) of two networks.
    """

    name: Literal["hamiltonian"]
    hidden: Widths
    activation: Literal["tanh", "softplus"]
    separable: bool

    @property
    def solves_an_ode(self) -> bool:
        """It does."""
        return True

    @property
    def structure(self) -> Structure:
        """Of its ODE."""
        return "separable" if self.separable else "hamiltonian"

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """Positions need momenta beside them."""
        data = config.data
        if isinstance(data, ReflectionConfig):
            yield _only_points(self.name)
        if not isinstance(data, SystemConfig):
            return
        if data.dimensions % 2:
            yield (
                f"model=hamiltonian data={data.name}: a state is positions beside as many momenta,"
                f" and this one has {data.dimensions} values; use model=mlp-field."
            )
        elif hasattr(data, "coordinates") and data.state_kind == "velocities":
            yield (
                "model=hamiltonian data.coordinates=velocities: Hamilton's equations are for"
                " momenta; use data.coordinates=momenta, or model=lagrangian."
            )


class LagrangianConfig(ModelSchema):
    """A Lagrangian neural network.

    Attributes:
        hidden: widths of the hidden layers.
        activation: after each of them.
    """

    name: Literal["lagrangian"]
    hidden: Widths
    activation: Literal["tanh", "softplus"]

    @property
    def solves_an_ode(self) -> bool:
        """It does."""
        return True

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """Positions need velocities beside them."""
        yield from _needs_velocities(self.name, config)


def _needs_velocities(model: str, config: RunConfig) -> Iterator[str]:
    data = config.data
    if isinstance(data, ReflectionConfig):
        yield _only_points(model, " model.velocity=observed" if model == "second-order" else "")
    if isinstance(data, SystemConfig) and data.state_kind != "velocities":
        advice = (
            "use data.coordinates=velocities"
            if data.state_kind == "momenta"
            else "use model=mlp-field, or data that have them, such as data=damped-oscillator"
        )
        setting = " model.velocity=observed" if model == "second-order" else ""
        beside = "momenta" if data.state_kind == "momenta" else "no velocities"
        yield (
            f"model={model}{setting} data={data.name}: positions need velocities beside them, and"
            f" these data have {beside}; {advice}."
        )


def _only_points(model: str, setting: str = "") -> str:
    advice = "model.velocity=learned" if setting else "model=mlp-field or model=second-order"
    return (
        f"model={model}{setting} data=reflection: positions need velocities or momenta beside them,"
        f" and these data have positions only; use {advice}."
    )


def keeps_positions(model: ModelSchema) -> bool:
    """Whether a model takes the second half of a state for velocities or momenta of the first."""
    return second_half(model) is not None


def second_half(model: ModelSchema) -> Literal["momenta", "velocities"] | None:
    """What a model takes the second half of a state for; None: for values like the others."""
    if isinstance(model, HamiltonianConfig):
        return "momenta"
    observed = isinstance(model, SecondOrderConfig) and model.velocity == "observed"
    return "velocities" if observed or isinstance(model, LagrangianConfig) else None
