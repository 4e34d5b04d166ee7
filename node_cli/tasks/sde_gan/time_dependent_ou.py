"""Paths of an Ornstein-Uhlenbeck process whose mean moves, by their law."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.tasks.sde_gan.schema import TimeDependentOuConfig
from node_cli.tasks.sde_gan.stream import Stream

Parts = tuple[Tensor, Tensor, Tensor]


def time_dependent_ou(config: TimeDependentOuConfig, seed: int) -> Parts:
    r"""Training, validation and test paths ``[N, points]``, in single precision.

    From one point to the next, at a distance of 1,

    .. math:: y(t + 1) = e^{-\theta} y(t) + \mu (m(t + 1) - e^{-\theta} m(t))
              + \sigma \sqrt{\frac{1 - e^{-2 \theta}}{2 \theta}}\, \xi, \qquad
              m(t) = \frac{t}{\theta} - \frac{1}{\theta^2}

    with a standard normal :math:`\xi`.

    Args:
        config: the ``data`` group.
        seed: of the run.
    """
    sizes = (config.series, config.validation, config.test)
    theta, stream = config.theta, random_stream(seed, Stream.DATA)
    kept = math.exp(-theta)
    deviation = config.sigma * math.sqrt(-math.expm1(-2 * theta) / (2 * theta))

    def particular(t: float) -> float:
        return t / theta - 1 / theta**2

    y = 2 * torch.rand(sum(sizes), dtype=torch.float64, generator=stream) - 1
    path = [y]
    for t in range(config.points - 1):
        xi = torch.randn(len(y), dtype=torch.float64, generator=stream)
        y = kept * y + config.mu * (particular(t + 1) - kept * particular(t)) + deviation * xi
        path.append(y)
    train, validation, test = torch.stack(path, dim=1).float().split(sizes)
    return train, validation, test
