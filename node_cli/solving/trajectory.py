"""What an integration gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor


class Trajectory(NamedTuple):
    """What a solve found.

    Attributes:
        values: the states at the output times, or at those before an event and at the event.
        times: of the values.
        next_step: the step with which a solve could go on from the last one.
    """

    values: list[Tensor]
    times: Sequence[float]
    next_step: float | None = None


class AcceptedStep(NamedTuple):
    """A step that was kept: where it starts and ends, and the outputs in ``(start, end]``."""

    start: float
    end: float
    y0: Tensor
    outputs: range


Observer = Callable[[AcceptedStep], None]
