"""The time grid of a fixed-step solver."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

# A span of 0.3 holds 30 steps of 0.01 although 0.3, from float32, divided by 0.01 is a bit more.
_ROUNDING = 1e-6  # of the number of steps


def steps_between(span: float, step_size: float) -> int:
    """The smallest number of equal steps, none longer than ``step_size``, that fill ``span``."""
    return max(1, math.ceil(abs(span) / step_size * (1 - _ROUNDING)))


def equal_steps(start: float, stop: float, step_size: float) -> list[tuple[float, float]]:
    """Start and end of each of these steps from ``start`` to ``stop``; none where they are one."""
    if start == stop:
        return []
    count = steps_between(stop - start, step_size)
    inner = [start + (stop - start) * i / count for i in range(1, count)]
    return list(pairwise([start, *inner, stop]))


def equal_step_grid(step_size: float) -> Callable[[Any, Any, Tensor], Tensor]:
    """A torchdiffeq ``grid_constructor`` whose grid meets every output time.

    Each interval between two output times is cut into equal steps no longer than ``step_size``,
    so outputs are grid points and not interpolated, which would lose the solver's order, and
    multistep solvers see no short last step.

    Args:
        step_size: longest step, in units of ``t``, positive.

    Returns:
        A function of (field, y0, times) that gives the grid, in the order of ``times``.
    """

    def grid(_field: Any, _y0: Any, times: Tensor) -> Tensor:
        stops = times.detach().double().tolist()
        pieces = [times[:1]]
        for i, (start, stop) in enumerate(pairwise(stops)):
            n = steps_between(stop - start, step_size)
            fractions = torch.arange(1, n, dtype=times.dtype, device=times.device) / n
            # The output times themselves are taken over to the bit: torchdiffeq compares them.
            pieces.append(times[i] + (times[i + 1] - times[i]) * fractions)
            pieces.append(times[i + 1 : i + 2])
        return torch.cat(pieces)

    return grid
