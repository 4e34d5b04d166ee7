"""An attempt of a step with the choice of the next one, as one function of tensors.

It is called in a loop that Python has no part in, and so computes what ``StepControl`` and
``integrate_adaptively`` do, in numbers of 64 bits as they do. Where a solve is, says its place
``[t0, t1, end]``: the times of the attempt, and the last time of the solve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from node_cli.solving.first_step import guessed_length, length_of_first_step
from node_cli.solving.runge_kutta import RungeKutta
from node_cli.solving.step_control import next_length
from node_cli.solving.step_graph import (
    StepSystem,
    change_forward,
    start_forward,
    step_backward,
    step_forward,
)


class Begun(NamedTuple):
    """What ``begin_forward`` gives.

    Attributes:
        slope: the field at the start.
        place: of the first attempt.
        finite: 1 where all that it was chosen by is finite.
    """

    slope: Tensor
    place: Tensor
    finite: Tensor


def begin_forward(system: StepSystem, tolerances: Tensor, times: Tensor, y0: Tensor) -> Begun:
    """The field at the start of a solve, and where the first attempt goes, as of ``first_step``.

    Args:
        system: of the solve, with a norm.
        tolerances: relative and absolute, in the dtype of the state.
        times: ``[t0, end, shortest step allowed]``.
        y0: the state at ``t0``.
    """
    start, end, shortest = times.unbind()
    direction = _direction(start, end)
    slope, sizes = start_forward(system, _clock(tolerances, y0, [start - start, start]), y0)
    size, steepness, finite = sizes.to(times.dtype).unbind()
    guess = guessed_length(size, steepness, start, end)
    ahead = direction * guess
    (change,) = change_forward(system, _clock(tolerances, y0, [ahead, start + ahead]), y0, slope)
    steepest = torch.maximum(steepness, change.to(times.dtype) / guess)
    order = system.tableau.order - 1
    h = torch.maximum(length_of_first_step(guess, steepest, start, end, order), shortest)
    known = finite * torch.isfinite(steepest).to(times.dtype)
    return Begun(slope, torch.stack([start, _stop(start, h, end), end]), known)


def attempt_forward(
    system: StepSystem, tolerances: Tensor, place: Tensor, y0: Tensor, f0: Tensor
) -> tuple[Tensor, ...]:
    """Whether the solve is over, and what the next attempt is given; the error ratio, the middle.

    Args:
        system: of the solve, with a norm, and a tableau whose last stage is the field at the end.
        tolerances: relative and absolute, in the dtype of the state.
        place: of the attempt.
        y0: the state at its start.
        f0: the field there.
    """
    t0, t1, end = place.unbind()
    y1, f1, *middle, ratio = step_forward(
        system, _clock_between(system, tolerances, place, y0), y0, f0
    )
    ratio = ratio.to(place.dtype)
    accepted = ratio <= 1.0
    h = next_length((t1 - t0).abs(), ratio, system.tableau.order)
    start = torch.where(accepted, t1, t0)
    ended = (accepted & (t1 == end)).to(place.dtype)
    following = torch.stack([start, _stop(start, h, end), end])
    y, f = torch.where(accepted, y1, y0), torch.where(accepted, f1, f0)
    return ended, following, *_in_order((y, f)), ratio, *_in_order(middle)


def attempt_backward(
    system: StepSystem,
    tolerances: Tensor,
    place: Tensor,
    y0: Tensor,
    f0: Tensor,
    of_step: Tensor,
    of_y1: Tensor,
    of_f1: Tensor,
    *sums: Tensor,
) -> tuple[Tensor, ...]:
    """The gradients of state and field at the start of a step, ``sums`` with the parameters'.

    A step of length zero, taken back from the start of the solve, gives the gradient of the state
    there by the field.

    Args:
        system: of the solve.
        tolerances: relative and absolute, in the dtype of the state.
        place: begins with the times of the step.
        y0: the state at its start.
        f0: the field there.
        of_step: the gradients that values inside of it add to those of both states, of the field
            at both ends and, where there is one, of the middle, ``[4 or 5, *y0.shape]``.
        of_y1: the gradient of the state at its end.
        of_f1: of the field there.
        sums: the gradients of the parameters so far.
    """
    clock = _clock_between(system, tolerances, place, y0)
    of_end, of_last = of_y1 + of_step[1], of_f1 + of_step[3]
    of_middle = None if system.tableau.middle is None else of_step[4]
    of_y0, of_f0, *found = step_backward(
        system, clock, y0, f0, of_end, of_last, of_middle, None, *sums
    )
    return _in_order((of_y0 + of_step[0], of_f0 + of_step[2], *found))


def replayed_backward(
    system: StepSystem,
    tolerances: Tensor,
    place: Tensor,
    y0: Tensor,
    of_step: Tensor,
    of_y1: Tensor,
    *sums: Tensor,
) -> tuple[Tensor, ...]:
    """As ``attempt_backward``, where the field at the start is evaluated in each step."""
    clock = _clock_between(system, tolerances, place, y0)
    of_middle = None if system.tableau.middle is None else of_step[4]
    of_y0, *found = step_backward(
        system, clock, y0, None, of_y1 + of_step[1], of_step[3], of_middle, of_step[2], *sums
    )
    return _in_order((of_y0 + of_step[0], *found))


def given_step_backward(
    system: StepSystem, clock: Tensor, y0: Tensor, of_end: Tensor, of_y1: Tensor, *sums: Tensor
) -> tuple[Tensor, ...]:
    """The gradient of the state at the start of a given step, ``sums`` with the parameters'.

    Args:
        system: of the solve.
        clock: of the step.
        y0: the state at its start.
        of_end: the gradient of the state at its end by outputs there.
        of_y1: the same by all that follows.
        sums: the gradients of the parameters so far.
    """
    found = step_backward(system, clock, y0, None, of_y1 + of_end, None, None, None, *sums)
    return _in_order(found)


def given_step_forward(system: StepSystem, clock: Tensor, y0: Tensor) -> tuple[Tensor, ...]:
    """The state at the end of a given step.

    Args:
        system: of the solve.
        clock: of the step.
        y0: the state at its start.
    """
    y1, *_ = step_forward(system, clock, y0, None)
    return _in_order((y1,))


def _in_order(results: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """As they lie where the next call takes them; what passes goes on as it came."""
    return tuple(x if x.is_contiguous() else x.contiguous() for x in results)


def _clock_between(system: StepSystem, tolerances: Tensor, place: Tensor, y0: Tensor) -> Tensor:
    t0, t1 = place[0], place[1]
    h = t1 - t0
    times = [t1 if node == 1.0 else t0 + node * h for node in system.tableau.nodes]
    return _clock(tolerances, y0, [h, t0, *times])


def _clock(tolerances: Tensor, y0: Tensor, numbers: list[Tensor]) -> Tensor:
    return torch.cat([tolerances, torch.stack(numbers).to(y0.dtype)])


def _direction(start: Tensor, end: Tensor) -> Tensor:
    return 1.0 - 2.0 * (end < start).to(start.dtype)


def _stop(start: Tensor, h: Tensor, end: Tensor) -> Tensor:
    """Where an attempt of a length ends: a little further, rather than leave a tiny step."""
    reached = RungeKutta.stretch * h >= (end - start).abs()
    return torch.where(reached, end, start + _direction(start, end) * h)
