"""Heights of a ball at random times, with noise."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from node_cli.tasks.bouncing_ball.schema import BouncesConfig


class Observations(NamedTuple):
    """Heights of one ball, in m.

    Attributes:
        times: in s, ``[N]``, increasing.
        heights: as they were measured, ``[N]``.
        truth: without noise, ``[N]``.
    """

    times: Tensor
    heights: Tensor
    truth: Tensor


def observed(
    config: BouncesConfig, count: int, end: float, stream: torch.Generator
) -> Observations:
    """Observations at times uniform between 0 and ``end``; computed in float64."""
    times = end * torch.rand(count, generator=stream, dtype=torch.float64).sort().values
    truth = torch.tensor(config.flight.heights(times.tolist()), dtype=torch.float64)
    noise = config.noise * torch.randn(count, generator=stream, dtype=torch.float64)
    return Observations(times.float(), (truth + noise).float(), truth.float())
