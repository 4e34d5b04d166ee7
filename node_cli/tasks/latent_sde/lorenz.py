"""Paths of a stochastic Lorenz system."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from node_cli.data.path_seeds import path_seed
from node_cli.data.random_streams import random_stream
from node_cli.data.series_units import SeriesUnits
from node_cli.methods import Calculus, Noise
from node_cli.solving.sde import SdeSpec, solve_sde
from node_cli.tasks.latent_sde.data_set import DataSet
from node_cli.tasks.latent_sde.schema import StochasticLorenzConfig
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, UNSEEN, Series
from node_cli.tasks.latent_sde.stream import Stream

_STEP = 0.005  # of the solver that makes the data
_UNSEEN_EVERY = 4  # of the intervals between two observed points, one has a held-out point


class StochasticLorenz:
    r"""Lorenz's system with noise in proportion to each coordinate (Li et al. 2020, section 7.2).

    .. math:: dx_1 &= \sigma (x_2 - x_1)\, dt + \alpha_1 x_1\, dW_1 \\
              dx_2 &= (x_1 (\rho - x_3) - x_2)\, dt + \alpha_2 x_2\, dW_2 \\
              dx_3 &= (x_1 x_2 - \beta x_3)\, dt + \alpha_3 x_3\, dW_3
    """

    calculus: Calculus = "ito"
    noise: Noise = "diagonal"

    def __init__(self, config: StochasticLorenzConfig) -> None:
        self._config = config

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        """Of states ``[..., 3]``."""
        x1, x2, x3 = y.unbind(dim=-1)
        sigma, rho, beta = self._config.sigma, self._config.rho, self._config.beta
        return torch.stack((sigma * (x2 - x1), x1 * (rho - x3) - x2, x1 * x2 - beta * x3), dim=-1)

    def diffusion(self, t: Tensor, y: Tensor) -> Tensor:
        """Likewise, of each coordinate."""
        return y * y.new_tensor(self._config.diffusion)


@dataclass(frozen=True)
class LorenzData:
    """The three sets in standardised units, and the truth.

    Attributes:
        data_set: of standardised series.
        mean: of the training paths, ``[3]``.
        std: their standard deviation, ``[3]``.
        sde: the true SDE, of states that are not standardised.
    """

    data_set: DataSet
    mean: Tensor
    std: Tensor
    sde: StochasticLorenz

    def drift(self, x: Tensor) -> Tensor:
        """The true drift of standardised states ``[..., 3]``."""
        mean, std = self.mean.to(x), self.std.to(x)
        return self.sde.drift(x.new_zeros(()), x * std + mean) / std

    def diffusion(self, x: Tensor) -> Tensor:
        """The true diffusion of the coordinates, likewise."""
        mean, std = self.mean.to(x), self.std.to(x)
        return self.sde.diffusion(x.new_zeros(()), x * std + mean) / std


def stochastic_lorenz(config: StochasticLorenzConfig, seed: int) -> LorenzData:
    """Paths from standard normal states, standardised, with noise; solved in double precision.

    Training series have the observed points only. Of the others, every fourth of the times in the
    middle between two observed points is held out too, and the points after the last observed one.

    Raises:
        SolverError: the system has no finite paths with these settings.
    """
    sde = StochasticLorenz(config)
    between = config.span / (config.points - 1)
    times, roles = _points(config.points, config.forward, between)
    counts = (config.series, config.validation, config.test)
    stream = random_stream(seed, Stream.LORENZ)
    start = torch.randn(sum(counts), 3, generator=stream, dtype=torch.float64)
    spec = SdeSpec("ito-srk", step_size=_STEP)
    with torch.no_grad():
        paths = solve_sde(sde, start, times, spec, path_seed(seed, Stream.LORENZ), ()).values
    paths = paths.transpose(0, 1)
    train = paths[: config.series, roles == OBSERVED]
    mean, std = train.mean(dim=(0, 1)), train.std(dim=(0, 1))
    noise = torch.randn(paths.shape, generator=stream, dtype=torch.float64)
    values = ((paths - mean) / std + config.noise * noise).float()
    parts, at = [], []
    for index, part in enumerate(values.split(counts)):
        kept = (roles == OBSERVED) | (index > 0)
        at.append(times[kept].expand(len(part), -1))
        parts.append(
            Series(
                times[kept].float().expand(len(part), -1),
                part[:, kept],
                torch.ones_like(part[:, kept], dtype=torch.bool),
                roles[kept].expand(len(part), -1),
            )
        )
    units = SeriesUnits(["x", "y", "z"], mean, std)
    return LorenzData(DataSet.numbered(parts, at, units), mean.float(), std.float(), sde)


def _points(points: int, forward: int, between: float) -> tuple[Tensor, Tensor]:
    """The times of all points, increasing, and their roles."""
    places = torch.arange(points + forward, dtype=torch.float64)
    middle = torch.arange(0, points - 1, _UNSEEN_EVERY, dtype=torch.float64) + 0.5
    roles = torch.where(places < points, OBSERVED, FORWARD)
    every, order = torch.cat((places, middle)).sort()
    return every * between, torch.cat((roles, torch.full(middle.shape, UNSEEN)))[order]
