"""The search for the first root of an event function along the steps of a solve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.event_function import EventFunction
from node_cli.solving.stepper import Stepper
from node_cli.solving.told_time import at_time

# A step with values inside is also looked at in these places of it.
_INNER = (0.25, 0.5, 0.75)
# The state carries rounding errors of so many units in its last place.
_ROUNDING = 100.0
# Where a function is flat around its root, Brent's method may take the square of the number of
# halvings, which are at most 53 here.
_MOST_ITERATIONS = 53**2
_PRECISION = 4 * torch.finfo(torch.float64).eps  # of a time, relative: Brent's method takes no less

Memory = TypeVar("Memory")
# The states at times inside of a step, one after another.
States = Callable[[Sequence[float]], Sequence[Tensor] | Tensor]


def places_inside(t0: float, t1: float, outputs: Sequence[float]) -> list[float]:
    """The times inside of a step that are looked at, in its order."""
    quarters = [t0 + share * (t1 - t0) for share in _INNER]
    return sorted({*quarters, *outputs} - {t0, t1}, reverse=t1 < t0)


def shortened(
    stepper: Stepper[Memory], field: SolvableField, t0: float, y0: Tensor, memory: Memory
) -> States:
    """The states at the ends of steps from ``t0``, for a method without values inside of a step."""
    return lambda times: [stepper.step(field, t0, t, y0, memory).y1 for t in times]


class Root(NamedTuple):
    """The first root.

    Attributes:
        time: when.
        which: of the events, counted from 0.
        residual: what is left of that event there, without its sign.
        steepness: the mean slope of that event around it, without its sign.
    """

    time: float
    which: int
    residual: float
    steepness: float


class EventSearch:
    """Looks for a change of sign of each event, and then for the first root.

    Signs are seen at the ends of steps and, where a method has values inside of a step, at its
    quarters and at output times: two roots between two such places are not seen, nor is one at
    which the event touches zero without a change of sign.

    Attributes:
        root: that ended the solve; None: there was none.
        next_step: with which a solve that goes on from it can begin.
    """

    def __init__(self, event: EventFunction) -> None:
        self._event = event
        self._signs: list[int] = []
        self._values: list[float] = []  # at the last place that was looked at
        self._eps = 0.0  # of the state
        self.root: Root | None = None
        self.next_step: float | None = None

    def begin(self, field: SolvableField, t0: float, y0: Tensor, forwards: bool) -> None:
        """Begin a solve at the state ``y0``, which may go on from the last root.

        An event that is zero there, but for rounding, has the sign of its slope along the solution:
        so a ball leaves the ground that it has just hit. Where that is zero too, the first sign
        that is seen later counts. What is left of an event at its own root is zero. Of two events
        that come together the second one keeps its sign where the jump has left it on its way
        through zero, so that it comes at once.
        """
        self._eps = torch.finfo(y0.dtype).eps
        self._values = values = self._event.numbers(t0, y0)
        before, self._signs = self._signs, [_sign(value) for value in values]
        size = float(y0.detach().abs().max()) if y0.numel() else 0.0
        slope: Tensor | None = None
        for k, (by_t, by_y) in enumerate(self._event.gradients(t0, y0)):
            rounding = _ROUNDING * self._eps * (abs(by_t * t0) + float(by_y.abs().sum()) * size)
            if self.root is not None and self.root.which == k:
                rounding = max(rounding, 2 * self.root.residual)
            if abs(values[k]) > rounding:
                continue
            if slope is None:
                with torch.no_grad():
                    slope = field.at(t0, y0)
            rate = by_t + float((by_y * slope).sum())
            self._signs[k] = _sign(rate if forwards else -rate)
            if self.root is not None and self.root.which != k and self._signs[k] == -before[k]:
                self._signs[k] = before[k]
        self.root = None

    def first_root(
        self, t0: float, t1: float, y1: Tensor, inner: Sequence[float], states: States
    ) -> float | None:
        """The time of the first root in a step, if there is one.

        The root is found between two places of different sign by Brent's method, which keeps it
        between them as bisection does, to the precision of the time.

        Args:
            t0: where the step starts.
            t1: where it ends.
            y1: the state there.
            inner: times inside, in order, at which the signs are looked at too.
            states: gives the states at times inside.
        """
        # The first call may evaluate the field for the calls that follow, so with a graph.
        looked_at = [*zip(inner, states(inner) if inner else (), strict=True), (t1, y1)]
        start, before = t0, self._values
        for t, y in looked_at:
            values = self._event.numbers(t, y)
            crossed = [k for k, sign in enumerate(self._signs) if sign and sign * values[k] <= 0.0]
            if crossed:
                with torch.no_grad():
                    roots = [
                        self._root(k, (start, before[k]), (t, values[k]), states) for k in crossed
                    ]
                self.root = min(roots, key=lambda root: abs(root.time - t0))
                return self.root.time
            self._signs = [sign or _sign(v) for sign, v in zip(self._signs, values, strict=True)]
            start, before = t, values
        self._values = before
        return None

    def unmet(self, start: float, end: float) -> str:
        """What is said where no event came between two times."""
        between = f"no event came between {at_time(start)} and {at_time(end)}"
        if not all(self._signs):
            return (
                f"{between}: an event function is zero at the start and stays so, and only a change"
                " of its sign counts. Give a later last time, or a state that is not at rest there."
            )
        values = ", ".join(f"{value:.6g}" for value in self._values)
        return (
            f"{between}: the event function has no change of sign there, and is {values} at the"
            " end. Give a later last time, or more output times where it changes its sign twice"
            " within a step."
        )

    def _root(
        self, k: int, start: tuple[float, float], end: tuple[float, float], states: States
    ) -> Root:
        """The root of an event between two times, each given with its value there."""
        (a, g_a), (b, g_b) = start, end
        if self._signs[k] * g_a <= 0.0:
            g_a = -g_b  # zero but for rounding, at the start of the solve
        known = {a: g_a, b: g_b}

        def g(t: float) -> float:
            if t not in known:
                known[t] = self._event.numbers(t, states((t,))[0])[k]
            return known[t]

        precision = max(_PRECISION, self._eps / 2) * max(abs(a), abs(b))
        time = b
        if g_b != 0.0:
            from scipy.optimize import brentq  # takes longer to import than most solves to solve

            time = brentq(g, a, b, xtol=precision, rtol=_PRECISION, maxiter=_MOST_ITERATIONS)
        return Root(time, k, abs(g(time)), (abs(g_a) + abs(g_b)) / abs(b - a))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
