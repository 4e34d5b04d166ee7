r"""Adams methods: the field at past times is interpolated by a polynomial, which is integrated.

:math:`y(t_1) = y_0 + \int_{t_0}^{t_1} P(s)\, ds`. Over the past alone the method is explicit
(Adams and Bashforth 1883); with the new time among the nodes it is implicit (Moulton 1926), and
solved once by predicting, evaluating and correcting. The weights are computed for the nodes as they
lie, so steps may differ in length.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.finiteness import FiniteSteps
from node_cli.solving.grid import equal_steps
from node_cli.solving.runge_kutta import Step
from node_cli.solving.state import combine
from node_cli.solving.step_control import StepControl
from node_cli.solving.tableau import TABLEAUS
from node_cli.solving.trajectory import Trajectory

MAX_ORDER = 12
# Variable-step Adams methods lose their stability where steps grow faster.
_LARGEST_GROWTH = 2.0
# After a rejection the step shrinks by at least this, even where a lower order promises more.
_SHRINK = 0.9


def integration_weights(nodes: Sequence[float], start: float, stop: float) -> list[float]:
    r"""Weights :math:`w` with :math:`\int_{start}^{stop} P = \sum_j w_j P(nodes_j)`.

    Exact for polynomials of degree below ``len(nodes)``: Lagrange's polynomials are integrated by
    a Gauss-Legendre rule that is exact for them.

    Args:
        nodes: distinct times.
        start: where the integral begins.
        stop: where it ends; before ``start`` where time runs backwards.
    """
    roots, gauss = _gauss_legendre((len(nodes) + 1) // 2)
    half = (stop - start) / 2
    points = start + half * (roots + 1)
    at = np.asarray(nodes, np.float64)
    distances = at[:, None] - at[None, :]
    np.fill_diagonal(distances, 1.0)
    factors = (points[:, None, None] - at[None, None, :]) / distances[None]
    diagonal = np.arange(len(at))
    factors[:, diagonal, diagonal] = 1.0
    weights: list[float] = (half * gauss @ factors.prod(axis=2)).tolist()
    return weights


@lru_cache
def _gauss_legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    roots, weights = np.polynomial.legendre.leggauss(count)
    return roots, weights


class _Past:
    """The field at past times, the newest first."""

    def __init__(self, length: int) -> None:
        self.times: list[float] = []
        self.slopes: list[Tensor] = []
        self._length = length

    def add(self, t: float, f: Tensor) -> None:
        self.times = [t, *self.times][: self._length]
        self.slopes = [f, *self.slopes][: self._length]


def integrate_adams(
    field: SolvableField,
    control: StepControl,
    y0: Tensor,
    times: Sequence[float],
    first_step: float | None = None,
) -> Trajectory:
    """Solve with Adams methods of variable order, 1 to 12, and variable steps.

    A step of order q predicts over q past slopes, evaluates, corrects over these and the new one,
    which gains an order, and evaluates again: two evaluations a step. The error is the difference
    of the correctors of order q + 1 and q. The same difference for the orders below and above
    tells with which order the next step can be longest.

    Args:
        field: the vector field.
        control: accepts and sizes steps.
        y0: the packed state at ``times[0]``.
        times: output times, in the one order or the other; equal ones are allowed.
        first_step: length of the first step; None: chosen from the field.

    Raises:
        SolverError: the solve cannot go on.
    """
    end = times[-1]
    span = abs(end - times[0])
    direction = 1.0 if end >= times[0] else -1.0
    values = [y0]
    past = _Past(MAX_ORDER + 1)
    t, y, attempts, order = times[0], y0, 0, 1
    h = first_step
    while len(values) < len(times):
        if times[len(values)] == t:
            values.append(y)
            continue
        if not past.times or past.times[0] != t:
            past.add(t, field.at(t, y))
        if h is None:
            with torch.no_grad():
                h = control.first_step(field, t, end, y, past.slopes[0], order)
        control.check_attempt(t, h, attempts, span, y.dtype)
        attempts += 1
        at_end = h >= abs(end - t)
        t1 = end if at_end else t + direction * h
        explicit = integration_weights(past.times[:order], t, t1)
        predicted = combine(y, explicit, past.slopes[:order])
        f1 = field.at(t1, predicted)
        orders = range(max(order - 1, 1), min(order + 1, MAX_ORDER, len(past.times)) + 1)
        # Of order q + 1, by q.
        correctors = {q: _implicit(past, t, t1, q) for q in range(orders[0] - 1, orders[-1] + 1)}
        corrected = combine(y, correctors[order], [f1, *past.slopes[:order]])
        with torch.no_grad():
            ratios = {}
            for q in orders:
                error = _difference(correctors[q], correctors[q - 1], f1, past.slopes[:q])
                ratios[q] = control.error_ratio(error, y, corrected)
        if not ratios[order] <= 1.0:
            field.rejected()
            order, proposed = _longest(control, abs(t1 - t), ratios, order)
            h = min(proposed, _SHRINK * abs(t1 - t))
            continue
        field.accepted()
        next_order, proposed = _longest(control, abs(t1 - t), ratios, MAX_ORDER)
        h = max(h, proposed) if at_end else proposed
        first = len(values)
        inside = [s for s in times[first:] if direction * (s - t1) < 0.0]
        if inside:
            past_times, past_slopes = past.times[:order], past.slopes[:order]
            past.add(t1, field.at(t1, corrected))
            nodes, slopes = [t1, *past_times], [past.slopes[0], *past_slopes]
            for s in inside:
                values.append(combine(y, integration_weights(nodes, t, s), slopes))
        while len(values) < len(times) and times[len(values)] == t1:
            values.append(corrected)
        t, y, order = t1, corrected, next_order
    # Another solve begins at order 1 again, for which this step would be too long.
    return Trajectory(values, None)


def _implicit(past: _Past, t: float, t1: float, count: int) -> list[float]:
    """The corrector's weights over the new time and ``count`` past ones: of order count + 1."""
    return integration_weights([t1, *past.times[:count]], t, t1)


def _difference(
    higher: Sequence[float], lower: Sequence[float], f1: Tensor, past: Sequence[Tensor]
) -> Tensor:
    """What two correctors differ by, of which the lower uses one past slope less."""
    weights = [a - b for a, b in zip(higher, [*lower, 0.0], strict=True)]
    return combine(f1 * weights[0], weights[1:], past)


def _longest(
    control: StepControl, step: float, ratios: dict[int, float], most: int
) -> tuple[int, float]:
    """The order, at most ``most``, whose next step is longest, and that step."""
    steps = {
        order: control.next_step(step, ratio, order + 1)
        for order, ratio in ratios.items()
        if order <= most
    }
    # Of equal steps the lower order's: it costs less and is more stable.
    order = max(steps, key=lambda q: (min(steps[q], _LARGEST_GROWTH * step), -q))
    return order, min(steps[order], _LARGEST_GROWTH * step)


def integrate_adams_in_steps(
    field: SolvableField,
    method: str,
    order: int,
    step_size: float,
    y0: Tensor,
    times: Sequence[float],
) -> Trajectory:
    """Solve with an Adams method of fixed order and equal steps between each two output times.

    ``explicit_adams`` takes one evaluation a step, ``implicit_adams`` two: it predicts with order
    ``order - 1``, evaluates, corrects with ``order``, and evaluates at the corrected state. Both
    begin with Runge-Kutta steps until there are slopes enough.

    Raises:
        SolverError: the state left the finite numbers; with the time and the step.
    """
    implicit = method == "implicit_adams"
    length = order - 1 if implicit else order
    starter = TABLEAUS["rk4" if order <= 5 else "dopri8"]
    past = _Past(max(length, 1))
    values, y = [y0], y0
    for start, stop in pairwise(times):
        steps = equal_steps(start, stop, step_size)
        finite = FiniteSteps(method, start, stop, len(steps))
        for t, t1 in steps:
            past.add(t, field.at(t, y))
            if len(past.times) < length:
                y = Step(field, starter, t, t1, y, past.slopes[0]).y1
            else:
                explicit = integration_weights(past.times, t, t1)
                predicted = combine(y, explicit, past.slopes)
                if implicit:
                    weights = _implicit(past, t, t1, order - 1)
                    slopes = [field.at(t1, predicted), *past.slopes[: order - 1]]
                    predicted = combine(y, weights, slopes)
                y = predicted
            field.accepted()
            finite.add(y)
        finite.check()
        values.append(y)
    return Trajectory(values, None)
