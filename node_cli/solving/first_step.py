"""The choice of the first step (Hairer, Norsett and Wanner, Solving ODEs I, section II.4)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.finiteness import refuse_not_finite
from node_cli.solving.host_numbers import read
from node_cli.solving.step_control import ROUNDING, StepControl

# A state or slope that is smaller has no scale; the length to begin with then, and at least.
_SMALL, _CAREFUL = 1e-5, 1e-6
# Of the change that a step may make, and of the length by which it was measured; without curvature.
_SHARE, _MOST, _STRAIGHT = 0.01, 100.0, 1e-3
# A slope that is flat.
_FLAT = 1e-15


class Beginning(ABC):
    """What is measured where a solve begins, in the error norm, scaled by the tolerances."""

    @abstractmethod
    def sizes(self) -> tuple[float, float]:
        """The norms of the state and of the field there.

        Raises:
            SolverError: one of them is not finite.
        """

    @abstractmethod
    def change(self, step: float) -> float:
        """The norm of what an Euler step changes in the field; one evaluation.

        Args:
            step: its length; negative where time runs backwards.
        """


class EvaluatedBeginning(Beginning):
    """Measured operation by operation.

    Args:
        control: has the tolerances and the norm.
        field: the vector field.
        t: the initial time.
        y: the initial state.
        f: the field there.
    """

    def __init__(
        self, control: StepControl, field: SolvableField, t: float, y: Tensor, f: Tensor
    ) -> None:
        self._control, self._field, self._t, self._y, self._f = control, field, t, y, f

    def sizes(self) -> tuple[float, float]:
        """As of ``Beginning``."""
        y, f = self._y, self._f
        self._scale = self._control.allowed(y.abs())
        finite = torch.isfinite(y).all() & torch.isfinite(f).all()
        size, slope, all_finite = read([self._scaled(y), self._scaled(f), finite.to(y.dtype)])
        if not all_finite:
            refuse_not_finite(y, "state", self._control.method, self._t)
            refuse_not_finite(f, "vector field", self._control.method, self._t)
        return size, slope

    def change(self, step: float) -> float:
        """As of ``Beginning``."""
        there = self._field.at(self._t + step, torch.add(self._y, self._f, alpha=step))
        return float(self._scaled(there - self._f))

    def _scaled(self, part: Tensor) -> Tensor:
        return self._control.norm(part / self._scale)


def first_step(
    control: StepControl, beginning: Beginning, t: float, end: float, order: int
) -> float:
    """The length of a step to begin with; one evaluation, inside of the interval.

    Args:
        control: of the steps.
        beginning: measured at ``t``.
        t: the initial time.
        end: the last time.
        order: of the embedded solution, which is that of the error estimate.

    Raises:
        SolverError: the state or the field is not finite.
    """
    size, slope = beginning.sizes()
    span = abs(end - t)
    direction = 1.0 if end >= t else -1.0
    shortest = 10 * ROUNDING * max(abs(t), span)
    # Where a part of the state and atol are zero, the slope has no scale: begin carefully.
    unknown = size < _SMALL or not _SMALL <= slope < float("inf")
    guess = _CAREFUL if unknown else _SHARE * size / slope
    guess = max(min(guess, span), shortest)
    curvature = beginning.change(direction * guess) / guess
    steepest = max(slope, curvature)
    if not steepest < float("inf"):
        return guess
    step = max(_CAREFUL, guess * _STRAIGHT)
    if steepest > _FLAT:
        step = (_SHARE / steepest) ** (1.0 / (order + 1))
    return max(min(_MOST * guess, step), control.min_step or 0.0, shortest)


def guessed_length(size: Tensor, slope: Tensor, t: Tensor, end: Tensor) -> Tensor:
    """As in ``first_step``, of tensors of 64 bits: the length by which curvature is measured."""
    span = (end - t).abs()
    known = (size >= _SMALL) & (slope >= _SMALL) & (slope < float("inf"))
    guess = torch.where(known, _SHARE * size / slope, torch.full_like(size, _CAREFUL))
    return torch.maximum(torch.minimum(guess, span), _shortest(t, span))


def length_of_first_step(
    guess: Tensor, steepest: Tensor, t: Tensor, end: Tensor, order: int
) -> Tensor:
    """As in ``first_step``, where the larger of slope and curvature is finite."""
    flat = torch.clamp(guess * _STRAIGHT, min=_CAREFUL)
    steep = (torch.full_like(steepest, _SHARE) / steepest) ** (1.0 / (order + 1))
    step = torch.where(steepest > _FLAT, steep, flat)
    return torch.maximum(torch.minimum(_MOST * guess, step), _shortest(t, (end - t).abs()))


def _shortest(t: Tensor, span: Tensor) -> Tensor:
    return 10 * ROUNDING * torch.maximum(t.abs(), span)
