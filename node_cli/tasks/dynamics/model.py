"""From the first state of a trajectory to all others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from node_cli.data.series_units import SeriesUnits
from node_cli.models.model_with_units import ModelWithUnits
from node_cli.models.ode_solve import OdeSolve
from node_cli.models.perceptron_ode import field_and_lift
from node_cli.schema.model import ModelSchema
from node_cli.schema.vector_field import PerceptronConfig
from node_cli.solving import SolveSpec
from node_cli.tasks.dynamics.hamiltonian import HamiltonianField, SeparableField
from node_cli.tasks.dynamics.lagrangian import LagrangianField
from node_cli.tasks.dynamics.model_schema import HamiltonianConfig, LagrangianConfig


class DynamicsModel(ModelWithUnits):
    """A learned vector field.

    The state that is solved for may hold more than the D values that are observed; these come
    first in it.

    Args:
        field: the vector field of the state.
        lift: from observed values ``[..., D]`` to a state; None: they are the state.
        dimensions: D.
        timed: whether the field depends on the time.
        spec: how the run solves.
    """

    def __init__(
        self,
        field: nn.Module,
        lift: nn.Module | None,
        dimensions: int,
        timed: bool,
        spec: SolveSpec,
    ) -> None:
        super().__init__()
        self.field, self.lift = field, lift
        self.solve = OdeSolve(spec)
        self._dimensions, self._timed = dimensions, timed

    def forward(self, first: Tensor, start: Tensor, elapsed: Tensor) -> Tensor:
        """Predicted values.

        Args:
            first: values at the first time, ``[B, D]``.
            start: that time, ``[B]``.
            elapsed: times since then, ``[B, W]``, the first 0; below 0 where they lie before it.

        Returns:
            ``[B, W, D]``; the first are those given.
        """
        state = first if self.lift is None else self.lift(first)
        field = _Later(self.field, start.unsqueeze(-1)) if self._timed else self.field
        parameters = tuple(self.field.parameters())
        if bool((elapsed == elapsed[:1]).all()) and bool((elapsed[0].diff() > 0).all()):
            solved = self.solve(field, state, elapsed[0], parameters)
            return solved[..., : self._dimensions].transpose(0, 1)  # type: ignore[no-any-return]
        rows = torch.arange(len(first), device=first.device).unsqueeze(-1)

        def on_one_side(distance: Tensor, direction: int) -> Tensor:
            times, places = torch.unique(distance, return_inverse=True)
            solved = self.solve(field, state, direction * times, parameters)
            return solved[places, rows, : self._dimensions]  # type: ignore[no-any-return]

        if not bool((elapsed < 0).any()):
            return on_one_side(elapsed, 1)
        after, before = (on_one_side((sign * elapsed).clamp(min=0), sign) for sign in (1, -1))
        return torch.where((elapsed < 0).unsqueeze(-1), before, after)

    def derivative(self, t: Tensor, state: Tensor) -> Tensor:
        """The vector field at states ``[B, S]`` and times ``[B]``."""
        derivative: Tensor = self.field(t.unsqueeze(-1) if self._timed else t, state)
        return derivative

    def velocity(self, values: Tensor) -> Tensor:
        """dx/dt of observed values ``[B, D]`` at time 0, with the state that they begin with."""
        state = values if self.lift is None else self.lift(values)
        return self.derivative(values.new_zeros(len(values)), state)[..., : self._dimensions]


class _Later:
    """A field whose time goes on from another start for each trajectory."""

    def __init__(self, field: nn.Module, start: Tensor) -> None:
        self._field, self._start = field, start

    def __call__(self, t: Tensor, y: Tensor) -> Tensor:
        derivative: Tensor = self._field(self._start + t, y)
        return derivative


def build_dynamics_model(config: ModelSchema, units: SeriesUnits, spec: SolveSpec) -> DynamicsModel:
    """The model of the ``model`` group, for trajectories of the values that ``units`` name."""
    timed, dimensions = bool(getattr(config, "time", False)), len(units.columns)
    field, lift = _parts(config, dimensions)
    model = DynamicsModel(field, lift, dimensions, timed, spec)
    model.units = units
    return model


def _parts(config: ModelSchema, dimensions: int) -> tuple[nn.Module, nn.Module | None]:
    if isinstance(config, HamiltonianConfig):
        kind = SeparableField if config.separable else HamiltonianField
        return kind(dimensions, config.hidden, config.activation), None
    if isinstance(config, LagrangianConfig):
        return LagrangianField(dimensions, config.hidden, config.activation), None
    assert isinstance(config, PerceptronConfig)
    return field_and_lift(config, dimensions)
