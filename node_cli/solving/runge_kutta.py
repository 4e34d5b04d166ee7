"""Explicit Runge-Kutta methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from node_cli.methods import Method
from node_cli.methods.tableau import Tableau
from node_cli.solving.counted_field import SolvableField
from node_cli.solving.host_numbers import tensor_of
from node_cli.solving.state import combine
from node_cli.solving.step_control import StepControl
from node_cli.solving.stepper import AdaptiveStepper, Step, Verdict


class RungeKutta(AdaptiveStepper[Tensor | None]):
    """The method of a tableau; it remembers the field at the start of the next step.

    Args:
        method: declares the tableau.
    """

    stretch: ClassVar[float] = 1.01

    def __init__(self, method: Method, _order: int | None = None) -> None:
        assert method.tableau is not None
        self.tableau = method.tableau
        self.dense = self.tableau.dense is not None

    @property
    def error_order(self) -> int:
        """That of the embedded solution."""
        return self.tableau.order - 1

    def init(
        self, field: SolvableField, t0: float, y0: Tensor, before: Tensor | None = None
    ) -> Tensor:
        """The field at ``t0``; one evaluation, unless the step before has made it."""
        return field.at(t0, y0) if before is None else before

    def slope(self, memory: Tensor | None) -> Tensor:
        """The field at the start of the step."""
        assert memory is not None
        return memory

    def step(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, memory: Tensor | None
    ) -> RungeKuttaStep:
        """All stages, and the state at ``t1``."""
        return RungeKuttaStep(field, self.tableau, t0, t1, y0, self.slope(memory))

    def judge(
        self,
        control: StepControl,
        length: float,
        y0: Tensor,
        memory: Tensor | None,
        step: Step[Tensor | None],
    ) -> Verdict[Tensor | None]:
        """Accept it where the error ratio is at most 1."""
        error = step.error()
        with torch.no_grad():
            ratio = control.error_ratio(error, y0, step.y1)
        return Verdict(ratio <= 1.0, control.next_step(length, ratio, self.tableau.order))


class RungeKuttaStep(Step[Tensor | None]):
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

    def memory(self) -> Tensor | None:
        """The field at the end, where the last stage is that."""
        return self.f1 if self._tableau.first_same_as_last else None

    @property
    def f1(self) -> Tensor:
        """The field at the end, evaluated when it is first asked for."""
        if self._f1 is None:
            self._f1 = self._field.at(self._t1, self.y1)
        return self._f1

    def error(self) -> Tensor:
        """The estimated error of ``y1``; no gradient flows through it."""
        stages = self._all_stages()
        with torch.no_grad():
            return self._estimate(stages)

    def estimate(self) -> Tensor:
        """The same, through which gradients flow."""
        return self._estimate(self._all_stages())

    def _estimate(self, stages: Sequence[Tensor]) -> Tensor:
        assert self._tableau.error is not None
        factors = [self._h * e for e in self._tableau.error]
        first = next(j for j, factor in enumerate(factors) if factor)
        scaled = stages[first] * factors[first]
        return combine(scaled, factors[first + 1 :], stages[first + 1 :])

    def values(self, times: Sequence[float]) -> Tensor:
        r"""The states at times inside the step, ``[len(times), *y0.shape]``, all at once.

        With :math:`x = (t - t_0) / h`, the cubic that has the values and slopes of both ends, plus
        for a method with a middle the multiple of :math:`x^2 (1 - x)^2` that meets it.
        """
        middle = self._tableau.middle
        terms = [self.y1 - self._y0, self._stages[0], self.f1]
        if middle is None:
            return dense_values(self._y0, terms, self._t0, self._t1, times)
        terms += self._all_stages()
        return dense_values(self._y0, terms, self._t0, self._t1, times, middle)

    def defect(self) -> Tensor:
        r"""About the largest error of values inside the step; gradients flow through it.

        One evaluation: the dense output p has the defect :math:`p' - f(t, p)` (Enright 2000), of
        which the error is a share.
        """
        x, share = defect_at(self._tableau)
        t = self._t0 + x * self._h
        slope = combine(
            (self.y1 - self._y0) * (6 * x * (1 - x) / self._h),
            [(1 - x) * (1 - 3 * x), x * (3 * x - 2)],
            [self._stages[0], self.f1],
        )
        return (self._field.at(t, self.values([t])[0]) - slope) * (share * self._h)

    def _all_stages(self) -> list[Tensor]:
        return [*self._stages, self.f1] if self._tableau.first_same_as_last else self._stages


def defect_at(tableau: Tableau) -> tuple[float, float]:
    r"""Where in a step the defect is measured, and which share of it, times the length, counts.

    An error of the shape :math:`x^2 (1 - x)^2`, times :math:`x - 1/2` where there is a middle, is
    at most that share. The middle does not change the slope there.
    """
    return (0.25, 1 / 3) if tableau.middle is None else (0.5, 0.14)


def dense_values(
    y0: Tensor,
    terms: Sequence[Tensor],
    t0: float,
    t1: float,
    times: Sequence[float],
    middle: Sequence[float] = (1.0,),
) -> Tensor:
    """States inside of a step, ``[len(times), *y0.shape]``, by ``RungeKuttaStep.values``.

    Args:
        y0: the state at the start.
        terms: what the step has added to it, the field at both ends, and the stages where the
            method has a middle.
        t0: where the step starts.
        t1: where it ends.
        times: inside of it.
        middle: the weights of the stages in the middle.
    """
    rows = dense_rows(t0, t1, times, middle[: len(terms) - 3])
    flat = torch.stack(list(terms)).reshape(len(terms), -1)
    return y0 + (tensor_of(rows, y0) @ flat).reshape(len(times), *y0.shape)


def dense_rows(
    t0: float, t1: float, times: Sequence[float], middle: Sequence[float]
) -> list[list[float]]:
    """The factors of the terms of ``dense_values``, a row for each time."""
    h, rows = t1 - t0, []
    for t in times:
        *row, bump = dense_factors(h, (t - t0) / h, bool(middle))
        rows.append([*row, *(bump * weight for weight in middle)])
    return rows


def dense_factors(h: Any, x: Any, has_middle: bool) -> tuple[Any, Any, Any, Any]:
    """Those of jump, both slopes and middle at a share ``x`` of a step; arrays too."""
    rise = x * x * (3 - 2 * x)
    first, last = h * x * (1 - x) ** 2, h * x * x * (x - 1)
    if not has_middle:
        return rise, first, last, 0.0 * x
    # At the middle the cubic is y0 + jump/2 + h (f0 - f1)/8, and the bump is 1/16.
    bump = 16 * (x * (1 - x)) ** 2
    return rise - bump / 2, first - bump * h / 8, last + bump * h / 8, bump * h
