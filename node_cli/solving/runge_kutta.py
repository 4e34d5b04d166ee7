"""Explicit Runge-Kutta methods, with adaptive and with fixed steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.finiteness import FiniteSteps
from node_cli.solving.grid import equal_steps
from node_cli.solving.state import combine
from node_cli.solving.step_control import StepControl
from node_cli.solving.tableau import Tableau
from node_cli.solving.trajectory import AcceptedStep, Observer, Trajectory

# The last step may be longer than the control says by this much, rather than leave a tiny one.
_STRETCH = 1.01


class Step:
    """The stages of one step from ``t0`` to ``t1``.

    Args:
        field: the vector field.
        tableau: the method.
        t0: where the step starts.
        t1: where it ends; before ``t0`` where time runs backwards.
        y0: the state at ``t0``.
        f0: the field there.
    """

    def __init__(
        self,
        field: SolvableField,
        tableau: Tableau,
        t0: float,
        t1: float,
        y0: Tensor,
        f0: Tensor,
    ) -> None:
        self._field, self._tableau = field, tableau
        self._t0, self._t1, self._y0 = t0, t1, y0
        self._h = h = t1 - t0
        self._stages = [f0]
        ends_alike = tableau.first_same_as_last
        inner = len(tableau.nodes) - (1 if ends_alike else 0)
        for node, row in zip(tableau.nodes[:inner], tableau.stages[:inner], strict=True):
            t = t1 if node == 1.0 else t0 + node * h
            self._stages.append(field.at(t, combine(y0, [h * a for a in row], self._stages)))
        weights = tableau.weights[: len(self._stages)]
        self.y1 = combine(y0, [h * b for b in weights], self._stages)
        self._f1: Tensor | None = None

    @property
    def f1(self) -> Tensor:
        """The field at the end, evaluated when it is first asked for."""
        if self._f1 is None:
            self._f1 = self._field.at(self._t1, self.y1)
        return self._f1

    def error(self) -> Tensor:
        """The estimated error of ``y1``; no gradient flows through it."""
        assert self._tableau.error is not None
        stages = self._all_stages()
        with torch.no_grad():
            factors = [self._h * e for e in self._tableau.error]
            first = next(j for j, factor in enumerate(factors) if factor)
            scaled = stages[first] * factors[first]
            return combine(scaled, factors[first + 1 :], stages[first + 1 :])

    def values(self, times: Sequence[float]) -> Tensor:
        r"""The states at times inside the step, ``[len(times), *y0.shape]``, all at once.

        With :math:`x = (t - t_0) / h`, the cubic that has the values and slopes of both ends, plus
        for a method with a middle the multiple of :math:`x^2 (1 - x)^2` that meets it.
        """
        y0, h, middle = self._y0, self._h, self._tableau.middle
        terms = [self.y1 - y0, self._stages[0], self.f1]
        if middle is not None:
            terms += self._all_stages()
        rows = []
        for t in times:
            x = (t - self._t0) / h
            rise = x * x * (3 - 2 * x)
            row = [rise, h * x * (1 - x) ** 2, h * x * x * (x - 1)]
            if middle is not None:
                # At the middle the cubic is y0 + jump/2 + h (f0 - f1)/8, and the bump is 1/16.
                bump = 16 * (x * (1 - x)) ** 2
                row = [rise - bump / 2, row[1] - bump * h / 8, row[2] + bump * h / 8]
                row += [bump * h * weight for weight in middle]
            rows.append(row)
        factors = y0.new_tensor(rows)
        changes: Tensor = torch.tensordot(factors, torch.stack(terms), dims=1)
        return y0 + changes

    def _all_stages(self) -> list[Tensor]:
        return [*self._stages, self.f1] if self._tableau.first_same_as_last else self._stages


def integrate_adaptively(
    field: SolvableField,
    tableau: Tableau,
    control: StepControl,
    y0: Tensor,
    times: Sequence[float],
    first_step: float | None = None,
    observe: Observer | None = None,
) -> Trajectory:
    """Solve with steps that follow the error estimate.

    The last step is shortened to end at the last time, so the field is never evaluated outside of
    the interval; values between are found inside the steps, where the method can.

    Args:
        field: the vector field.
        tableau: a method with an error estimate.
        control: accepts and sizes steps.
        y0: the packed state at ``times[0]``.
        times: output times, in the one order or the other; equal ones are allowed.
        first_step: length of the first step; None: chosen from the field.
        observe: told of each accepted step.

    Raises:
        SolverError: the solve cannot go on.
    """
    end = times[-1]
    span = abs(end - times[0])
    direction = 1.0 if end >= times[0] else -1.0
    values = [y0]
    t, y, attempts = times[0], y0, 0
    f: Tensor | None = None
    h = first_step
    while len(values) < len(times):
        if times[len(values)] == t:
            values.append(y)
            continue
        if f is None:
            f = field.at(t, y)
        if h is None:
            with torch.no_grad():
                h = control.first_step(field, t, end, y, f, tableau.order - 1)
        control.check_attempt(t, h, attempts, span, y.dtype)
        attempts += 1
        stop = end if tableau.dense else times[len(values)]
        at_stop = _STRETCH * h >= abs(stop - t)
        t1 = stop if at_stop else t + direction * h
        step = Step(field, tableau, t, t1, y, f)
        error = step.error()
        with torch.no_grad():
            ratio = control.error_ratio(error, y, step.y1)
        proposed = control.next_step(abs(t1 - t), ratio, tableau.order)
        if not ratio <= 1.0:
            field.rejected()
            h = proposed
            continue
        field.accepted()
        # A step that was only cut at a stop says little about how long it could have been.
        h = max(h, proposed) if at_stop else proposed
        first = reached = len(values)
        while reached < len(times) and direction * (times[reached] - t1) < 0.0:
            reached += 1
        if reached > first:
            values.extend(step.values(times[first:reached]).unbind())
        while len(values) < len(times) and times[len(values)] == t1:
            values.append(step.y1)
        if observe is not None:
            observe(AcceptedStep(t, t1, y, range(first, len(values))))
        t, y = t1, step.y1
        f = step.f1 if tableau.first_same_as_last else None
    return Trajectory(values, h)


def integrate_in_steps(
    field: SolvableField,
    tableau: Tableau,
    method: str,
    step_size: float,
    y0: Tensor,
    times: Sequence[float],
    observe: Observer | None = None,
) -> Trajectory:
    """Solve with equal steps between each two output times, none longer than ``step_size``.

    Raises:
        SolverError: the state left the finite numbers; with the time and the step.
    """
    values = [y0]
    y = y0
    for number, (start, stop) in enumerate(pairwise(times), start=1):
        steps = equal_steps(start, stop, step_size)
        finite = FiniteSteps(method, start, stop, len(steps))
        for t0, t1 in steps:
            step = Step(field, tableau, t0, t1, y, field.at(t0, y))
            field.accepted()
            if observe is not None:
                outputs = range(number, number + times.count(stop)) if t1 == stop else range(0)
                observe(AcceptedStep(t0, t1, y, outputs))
            y = step.y1
            finite.add(y)
        finite.check()
        values.append(y)
    return Trajectory(values, None)
