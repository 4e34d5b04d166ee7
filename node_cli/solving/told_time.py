"""Times and lengths of steps as messages tell them: in the units of the data.

A model may have its times shifted and divided, so that its solves begin at 0 and last a few units.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """How the times of the data became those of a model.

    Attributes:
        start: the time that became 0; None: the first of each series.
        scale: by which times were divided then.
    """

    start: float | None = 0.0
    scale: float = 1.0


# Of the process and not of a context: autograd solves backwards in threads of its own.
_clock = Clock()


@contextmanager
def told_by(clock: Clock) -> Iterator[None]:
    """Inside the ``with`` block, messages tell the times of the data."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before


def at_time(t: float) -> str:
    """``t = 0.5``, for a time of the model."""
    clock = _clock
    if clock == Clock():
        return f"t = {t:.6g}"
    # Seconds since 1970 have ten digits.
    shown = f"t = {t * clock.scale + (clock.start or 0.0):.10g}"
    return f"{shown} after the start of a series" if clock.start is None else shown


def told_length(step: float, digits: int = 3) -> str:
    """The length of a step."""
    return f"{abs(step) * _clock.scale:.{digits}g}"
