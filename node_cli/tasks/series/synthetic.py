"""Series that are made from a seed: spirals, and periodic functions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.tasks.series.observed import ROLES, Series, choose_points
from node_cli.tasks.series.schema import GRID_POINTS, PeriodicConfig, SpiralsConfig
from node_cli.tasks.series.stream import Stream

_SPIRAL_GRID = 1000  # points of a whole spiral
_SPIRAL_END = 6 * math.pi
SPIRAL_STEP = _SPIRAL_END / (_SPIRAL_GRID - 1)
_GROWTH = 0.3


def spirals(config: SpiralsConfig, seed: int) -> list[Series]:
    r"""The spirals of Chen et al. 2018, for training, validation and test, as in latent_ode.py.

    Half of them run clockwise, with :math:`r = 0.3 \cdot 50 / \phi,\ \phi = 6\pi + 1 - \theta`
    around (-5, 0), the others counter-clockwise with :math:`r = 0.3\, \theta` around (5, 0). A
    series is observed on 100 points of a grid of 1000 in :math:`\theta \in [0, 6\pi]`, from a
    random point on, at which its time is 0. The 100 points before and the 100 after are there to
    be predicted.
    """
    counts = (config.series, config.validation, config.test)
    return [
        _spirals(config, count, random_stream(seed, Stream.SPIRALS, part))
        for part, count in enumerate(counts)
    ]


def _spirals(config: SpiralsConfig, count: int, stream: torch.Generator) -> Series:
    n = GRID_POINTS
    start = n + torch.randint(_SPIRAL_GRID - 3 * n + 1, (count, 1), generator=stream)
    clockwise = torch.rand(count, 1, generator=stream) < 0.5
    offsets = torch.arange(-n, 2 * n)
    theta = (start + offsets).double() * SPIRAL_STEP
    truth = torch.where(clockwise.unsqueeze(-1), _clockwise(theta), _counter_clockwise(theta))
    noise = config.noise * torch.randn(count, 3 * n, 2, generator=stream)
    roles = torch.full((count, 3 * n), ROLES["backward"])
    roles[:, n : 2 * n] = ROLES["unseen"]
    roles[:, 2 * n :] = ROLES["forward"]
    roles[:, n : 2 * n][choose_points(config.points, n, count, stream)] = ROLES["observed"]
    times = (offsets * SPIRAL_STEP).float().expand(count, -1)
    truth = truth.float()
    return Series(times, truth + noise, truth, torch.ones_like(truth, dtype=torch.bool), roles)


def _clockwise(theta: Tensor) -> Tensor:
    angle = _SPIRAL_END + 1 - theta
    radius = 50 * _GROWTH / angle
    return torch.stack((radius * angle.cos() - 5, radius * angle.sin()), dim=-1)


def _counter_clockwise(theta: Tensor) -> Tensor:
    radius = _GROWTH * theta
    return torch.stack((radius * theta.cos() + 5, radius * theta.sin()), dim=-1)


def periodic(config: PeriodicConfig, seed: int) -> list[Series]:
    r"""Periodic series whose frequency changes, after Rubanova et al. 2019, section 4.1.

    .. math:: x(t) = x_0 + \sin\left( 2 \pi \int_0^t \omega(s)\, ds \right), \qquad t \in [0, 5]

    with a frequency that goes linearly from one to another, both uniform in [0.4, 0.8], a start
    :math:`x_0` from a standard normal distribution, and 100 times uniform over the interval, other
    ones for each series. In ``interpolation`` all of the interval is observed at
    ``config.points`` of them; in ``extrapolation`` only its first half, and the second is to be
    predicted.
    """
    counts = (config.series, config.validation, config.test)
    return [
        _periodic(config, count, random_stream(seed, Stream.PERIODIC, part))
        for part, count in enumerate(counts)
    ]


def _periodic(config: PeriodicConfig, count: int, stream: torch.Generator) -> Series:
    n, end = GRID_POINTS, 5.0
    first, last = 0.4 + 0.4 * torch.rand(2, count, 1, generator=stream)
    start = torch.randn(count, 1, generator=stream)
    times = end * torch.rand(count, n, generator=stream).sort(dim=1).values
    turns = first * times + (last - first) * times.square() / (2 * end)
    truth = (start + (2 * math.pi * turns).sin()).unsqueeze(-1)
    noise = config.noise * torch.randn(count, n, 1, generator=stream)
    kept = choose_points(config.points, n, count, stream)
    roles = torch.where(kept, ROLES["observed"], ROLES["unseen"])
    if config.mode == "extrapolation":
        roles[times > end / 2] = ROLES["forward"]
        # A series whose first half has no kept point shows its first one.
        roles[:, 0] = ROLES["observed"]
    return Series(times, truth + noise, truth, torch.ones_like(truth, dtype=torch.bool), roles)
