"""What an integration gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class Trajectory(NamedTuple):
    """States at the output times, and the step with which a solve could go on from the last."""

    values: list[Tensor]
    next_step: float | None


class AcceptedStep(NamedTuple):
    """A step that was kept: where it starts and ends, and the outputs in ``(start, end]``."""

    start: float
    end: float
    y0: Tensor
    outputs: range


Observer = Callable[[AcceptedStep], None]
