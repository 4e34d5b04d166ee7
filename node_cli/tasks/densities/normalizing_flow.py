"""A density: a Gaussian base, carried to the data by continuous flows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from node_cli.schema.regularization import PenaltyName
from node_cli.schema.trace import TraceConfig
from node_cli.solving import SolveSpec
from node_cli.tasks.densities.continuous_flow import ContinuousFlow
from node_cli.tasks.densities.moving_batch_norm import MovingBatchNorm
from node_cli.tasks.densities.schema import Covariance, FlowConfig

_PART = 10_000  # points of the base that are drawn at a time


class Likelihood(NamedTuple):
    """What ``NormalizingFlow`` says of points.

    Attributes:
        log_density: in nats, ``[N]``, of the points in the units that they were given in.
        base: where the points lie in the base, ``[N, d]``.
        penalties: integrals along all flows, ``[N]`` each, by name; in training only.
    """

    log_density: Tensor
    base: Tensor
    penalties: dict[PenaltyName, Tensor]


class NormalizingFlow(nn.Module):
    r"""Density of points by continuous flows.

    Data are first standardised, ``u = (x - shift) / scale``, by buffers that belong to the
    checkpoint; then they go through the flows, between moving batch normalisations where the
    config asks for them, to a Gaussian base.

    .. math:: \log p(x) = \log \mathcal N(z;\, 0, \Sigma) + \sum_l \log\det\nolimits_l
              - \sum_i \log \mathrm{scale}_i

    Args:
        config: the ``model`` group.
        dimensions: d.
        spec: how the flows are solved.
        trace: how traces are computed.
        penalties: integrals to compute in training.
    """

    shift: Tensor
    scale: Tensor
    base_factor: Tensor

    def __init__(
        self,
        config: FlowConfig,
        dimensions: int,
        spec: SolveSpec,
        trace: TraceConfig,
        penalties: tuple[PenaltyName, ...] = (),
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.columns = [f"x{number}" for number in range(1, dimensions + 1)]
        layers: list[ContinuousFlow | MovingBatchNorm] = []
        if config.batch_norm:
            layers.append(MovingBatchNorm(dimensions))
        for _ in range(config.flows):
            layers.append(ContinuousFlow(config, dimensions, spec, trace, penalties))
            if config.batch_norm:
                layers.append(MovingBatchNorm(dimensions))
        self.layers = nn.ModuleList(layers)
        self._chain = layers
        self.register_buffer("shift", torch.zeros(dimensions, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(dimensions, dtype=torch.float64))
        covariance = covariance_matrix(config.base_covariance, dimensions)
        self.register_buffer("base_factor", torch.linalg.cholesky(covariance).float())

    @property
    def flows(self) -> int:
        """The number of continuous flows."""
        return sum(isinstance(layer, ContinuousFlow) for layer in self._chain)

    def get_extra_state(self) -> dict[str, list[str]]:
        """The names of the columns, for the checkpoint."""
        return {"columns": self.columns}

    def set_extra_state(self, state: dict[str, list[str]]) -> None:
        """Take the names of the columns from a checkpoint."""
        self.columns = state["columns"]

    def standardise(self, shift: Tensor, scale: Tensor) -> None:
        """Set the standardisation, ``[d]`` each; the scale is positive."""
        self.shift.copy_(shift)
        self.scale.copy_(scale)

    def forward(self, x: Tensor) -> Likelihood:
        """The log-density of points ``[N, d]``, and where they lie in the base."""
        z, log_det = self._standardised(x)
        penalties: dict[PenaltyName, Tensor] = {}
        for layer in self._chain:
            if isinstance(layer, MovingBatchNorm):
                z, change = layer(z)
            else:
                carried = layer(z)
                z, change = carried.points, carried.log_det
                for name, integral in carried.penalties.items():
                    penalties[name] = penalties[name] + integral if name in penalties else integral
            log_det = log_det + change
        return Likelihood(self.base_log_density(z) + log_det, z, penalties)

    def inverse(self, z: Tensor) -> Tensor:
        """The points ``[N, d]`` of the data that ``forward`` finds at ``z`` in the base."""
        for layer in reversed(self._chain):
            z = layer.inverse(z)
        return self._in_units_of_the_data(z)

    def draw_base(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """``count`` points of the base, ``[count, d]``; drawn on the CPU, see ``draw_noise``."""
        normal = torch.randn(count, self.dimensions, generator=generator)
        return normal.to(self.base_factor) @ self.base_factor.t()

    def draw_base_in_parts(
        self, count: int, generator: torch.Generator | None = None
    ) -> Iterator[Tensor]:
        """The same in parts, so that any number of samples can be drawn with the memory of one."""
        for first in range(0, count, _PART):
            yield self.draw_base(min(_PART, count - first), generator)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """``count`` points of the model's density, ``[count, d]``."""
        return self.inverse(self.draw_base(count, generator))

    def _standardised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised points, in the precision of the flows, and the log-determinant of that."""
        z = ((x - self.shift) / self.scale).to(self.base_factor.dtype)
        return z, z.new_zeros(len(z)) - self.scale.log().sum()

    def _in_units_of_the_data(self, z: Tensor) -> Tensor:
        """Standardised points as they were, in double precision."""
        return z * self.scale + self.shift

    def base_log_density(self, z: Tensor) -> Tensor:
        """The log-density of the Gaussian base at ``[N, d]``, in nats."""
        white = torch.linalg.solve_triangular(self.base_factor, z.t(), upper=False)
        log_volume = self.base_factor.diagonal().log().sum()
        constant = 0.5 * self.dimensions * math.log(2 * math.pi)
        log: Tensor = -0.5 * white.square().sum(dim=0) - log_volume - constant
        return log

    def paths(self, z: Tensor, places: int) -> Tensor:
        """Points of the base on their way to the data, ``[flows * (places - 1) + 1, N, d]``.

        ``places`` are at equal distances along each flow, its two ends among them. Batch
        normalisation and standardisation are jumps, seen from the next place on.
        """
        fractions = [i / (places - 1) for i in range(places)]
        path = [z]
        for layer in reversed(self._chain):
            if isinstance(layer, MovingBatchNorm):
                path[-1] = layer.inverse(path[-1])
            else:
                carried = layer.carry(path[-1], tuple(fractions), traced=False).points
                path.extend(carried.reshape(places, *z.shape)[1:] if places > 2 else [carried])
        return self._in_units_of_the_data(torch.stack(path))

    def density_along(self, x: Tensor, position: float) -> Tensor:
        """The log-density on the way from the base (0) to the data, at points ``[N, d]``.

        Each flow takes 1 of the way, so that the data are at ``flows``. The density is in the
        data's units, as if the base lay there too.
        """
        z, log_det = self._standardised(x)
        left = self.flows  # flows from the base up to and with this one
        for layer in self._chain:
            if isinstance(layer, MovingBatchNorm):
                if position >= left:
                    z, change = layer(z)
                    log_det = log_det + change
                continue
            share = min(1.0, position - (left - 1))
            left -= 1
            if share > 0:
                carried = layer.carry(z, (share, 0.0), traced=True)
                assert carried.log_det is not None
                z, log_det = carried.points, log_det + carried.log_det
        return self.base_log_density(z) + log_det


def covariance_matrix(given: Covariance, dimensions: int) -> Tensor:
    """The covariance of the base, ``[d, d]``, float64.

    Args:
        given: a variance, a variance for each dimension, or the matrix.
        dimensions: d.

    Raises:
        ValueError: it is for another number of dimensions.
    """
    matrix = torch.as_tensor(given, dtype=torch.float64)
    if matrix.ndim == 0:
        matrix = matrix.expand(dimensions)
    if matrix.ndim == 1:
        matrix = torch.diag(matrix)
    if matrix.shape != (dimensions, dimensions):
        raise ValueError(
            f"model.base_covariance is for {matrix.shape[0]} dimensions, and the data have"
            f" {dimensions}"
        )
    return matrix


def dimensions_of(state: Mapping[str, Tensor]) -> int:
    """The number of dimensions of the data, from a flow's ``state_dict``."""
    return len(state["shift"])
