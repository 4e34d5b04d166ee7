"""What an integration gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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
    """A step that was kept.

    Attributes:
        start: where it starts.
        end: where it ends.
        y0: the state at its start.
        outputs: those in ``(start, end]``.
        memory: with which it began.
    """

    start: float
    end: float
    y0: Tensor
    outputs: range
    memory: Any


Observer = Callable[[AcceptedStep], None]
