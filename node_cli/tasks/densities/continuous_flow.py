"""A continuous normalizing flow between a base and the data."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from node_cli.models.ode_solve import OdeSolve
from node_cli.schema.regularization import PenaltyName
from node_cli.schema.trace import TraceConfig, TraceName
from node_cli.solving import SolveSpec
from node_cli.tasks.densities.flow_dynamics import FlowDynamics, draw_noise
from node_cli.tasks.densities.flow_field import DifferentiatedField, FlowField
from node_cli.tasks.densities.perceptron_field import HypernetworkField, LayeredField
from node_cli.tasks.densities.schema import (
    FlowConfig,
    FlowModel,
    HypernetworkConfig,
    LayeredFlowConfig,
)


class Transport(NamedTuple):
    """Where points were carried.

    Attributes:
        points: ``[N, d]``, or ``[times, N, d]``.
        log_det: log-determinant of the map so far, ``[N]`` or ``[times, N]``; None where it was
            not asked for.
        penalties: integrals along the way, ``[N]`` each, by name.
    """

    points: Tensor
    log_det: Tensor | None
    penalties: dict[PenaltyName, Tensor]


class ContinuousFlow(nn.Module):
    r"""Carries points along ``dz/dt = f(t, z)``.

    Places along the flow are fractions of the way, from 0 at the base to 1 at the data.

    .. math:: \log p_{data}(x) = \log p_{base}(z) + \log\left|\det \frac{dz}{dx}\right|, \qquad
              \log\left|\det \frac{dz}{dx}\right|
              = \int_{t(x)}^{t(z)} \mathrm{tr} \frac{\partial f}{\partial z}\, dt

    Args:
        config: the ``model`` group.
        dimensions: d.
        spec: how it is solved.
        trace: how traces are computed.
        penalties: integrals to compute along the way in training.
    """

    def __init__(
        self,
        config: FlowConfig,
        dimensions: int,
        spec: SolveSpec,
        trace: TraceConfig,
        penalties: tuple[PenaltyName, ...] = (),
    ) -> None:
        super().__init__()
        self.field = flow_field(config, dimensions)
        self.solve = OdeSolve(spec, config.T, config.learn_time)
        self.trace = trace
        self.penalties = penalties
        self._reverse = config.reverse

    def forward(self, x: Tensor) -> Transport:
        """Carry data to the base, with log-determinants, and in training with penalties."""
        return self.carry(x, (1.0, 0.0), traced=True)

    def inverse(self, z: Tensor) -> Tensor:
        """Carry points of the base to the data."""
        return self.carry(z, (0.0, 1.0), traced=False).points

    def carry(self, points: Tensor, places: tuple[float, ...], traced: bool) -> Transport:
        """Carry points ``[N, d]`` from the first place to the others, in order.

        Args:
            points: at the first place.
            places: fractions of the way, rising or falling.
            traced: with log-determinants.

        Returns:
            What there is at the last place where there are two, else at all of them.

        Raises:
            SolverError: the solve failed.
        """
        if isinstance(self.field, LayeredField) and self.field.training:
            self.field.iterate_power()
        fractions = [1.0 - place if self._reverse else place for place in places]
        state: Tensor | tuple[Tensor, ...] = points
        penalties: tuple[PenaltyName, ...] = ()
        if traced:
            penalties = self.penalties if self.training else ()
            zeros = points.new_zeros(len(points))
            state = (points, zeros, *(zeros for _ in penalties))
        dynamics = FlowDynamics(
            self.field,
            self._trace_name(),
            self._noise(points) if traced else None,
            penalties,
            1 if fractions[-1] >= fractions[0] else -1,
        )
        parameters = self.field.parameters()
        values = self.solve(dynamics, state, fractions, parameters, outside_norm=len(penalties))
        parts = (values,) if isinstance(values, Tensor) else values
        if len(places) == 2:
            parts = tuple(part[-1] for part in parts)
        carried, *rest = parts
        names = zip(penalties, rest[1:], strict=True)
        return Transport(carried, rest[0] if rest else None, dict(names))

    def _trace_name(self) -> TraceName:
        name = self.trace.name if self.training else self.trace.evaluation
        assert name != "none"
        return name

    def _noise(self, points: Tensor) -> Tensor | None:
        return draw_noise(self.trace.noise, points) if self._trace_name() == "hutchinson" else None


def flow_field(config: FlowConfig, dimensions: int) -> FlowField:
    """The field that the ``model`` group asks for."""
    if isinstance(config, FlowModel):
        return DifferentiatedField(config.field(dimensions))
    if isinstance(config, HypernetworkConfig):
        return HypernetworkField(dimensions, config.width, config.hidden)
    assert isinstance(config, LayeredFlowConfig)
    return LayeredField(
        dimensions, config.hidden, config.name, config.activation, config.spectral_norm
    )
