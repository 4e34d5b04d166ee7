"""The loop of all solvers whose steps follow an error estimate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.event_search import EventSearch, places_inside, shortened
from node_cli.solving.first_step import first_step
from node_cli.solving.step_control import StepControl
from node_cli.solving.stepper import AdaptiveStepper, Step
from node_cli.solving.trajectory import AcceptedStep, Observer, Trajectory

Memory = TypeVar("Memory")

# A step that is carried over an event is at least this share of the interval.
_SHORTEST = 1e-9


def integrate_adaptively(
    field: SolvableField,
    stepper: AdaptiveStepper[Memory],
    control: StepControl,
    y0: Tensor,
    times: Sequence[float],
    initial_step: float | None = None,
    observe: Observer | None = None,
    search: EventSearch | None = None,
) -> Trajectory:
    """Solve with steps that follow the error estimate.

    The last step is shortened to end at the last time, so the field is never evaluated outside of
    the interval; values between are found inside the steps, where the method can.

    Args:
        field: the vector field.
        stepper: takes the steps.
        control: accepts and sizes them.
        y0: the packed state at ``times[0]``.
        times: output times, in the one order or the other; equal ones are allowed.
        initial_step: length of the first step; None: chosen from the field.
        observe: told of each accepted step.
        search: for the event that ends the solve: a root inside of the step, where values can be
            had there; else the step is taken again, shortened to end at its root.

    Raises:
        SolverError: the solve cannot go on.
    """
    end = times[-1]
    span = abs(end - times[0])
    direction = 1.0 if end >= times[0] else -1.0
    values = [y0]
    t, y, attempts = times[0], y0, 0
    h = initial_step
    left: Memory | None = None  # by the step before
    memory: Memory | None = None  # for the step to come
    while len(values) < len(times):
        if times[len(values)] == t:
            values.append(y)
            continue
        if memory is None:
            memory = stepper.init(field, t, y, left)
        if h is None:
            with torch.no_grad():
                beginning = stepper.beginning(control, field, t, y, memory)
                h = first_step(control, beginning, t, end, stepper.error_order)
        control.check_attempt(t, h, attempts, span, y.dtype)
        attempts += 1
        stop = end if stepper.dense else times[len(values)]
        at_stop = stepper.stretch * h >= abs(stop - t)
        t1 = stop if at_stop else t + direction * h
        step = stepper.step(field, t, t1, y, memory)
        verdict = stepper.judge(control, abs(t1 - t), y, memory, step)
        if not verdict.accepted:
            field.rejected()
            h, memory = verdict.next_step, verdict.change(memory)
            continue
        field.accepted()
        # A step that was only cut at a stop says little about how long it could have been.
        h = max(h, verdict.next_step) if at_stop else verdict.next_step
        first = reached = len(values)
        while reached < len(times) and direction * (times[reached] - t1) <= 0.0:
            reached += 1
        stops = list(times[first:reached])
        root = None
        if search is not None:
            root = _root_in_step(search, stepper, field, (t, t1), y, memory, step, stops)
        if root is not None:
            stops = [*(stop for stop in stops if direction * (stop - root) < 0.0), root]
            if not stepper.dense:
                t1, step = root, stepper.step(field, t, root, y, memory)
        inside = [stop for stop in stops if stop != t1]
        if inside:
            values.extend(step.values(inside).unbind())
        values.extend([step.y1] * (len(stops) - len(inside)))
        if observe is not None:
            observe(AcceptedStep(t, t1, y, range(first, len(values)), memory))
        if root is not None:
            assert search is not None
            # What comes next is not known to be slower than what has ended.
            carried = min(h, abs(root - times[0]))
            enough = carried > max(control.min_step or 0.0, _SHORTEST * span)
            search.next_step = carried if stepper.carries_step and enough else None
            return Trajectory(values, (*times[: len(values) - 1], root))
        t, y = t1, step.y1
        left, memory = verdict.change(step.memory()), None
    return Trajectory(values, times, h if stepper.carries_step else None)


def _root_in_step(
    search: EventSearch,
    stepper: AdaptiveStepper[Memory],
    field: SolvableField,
    ends: tuple[float, float],
    y: Tensor,
    memory: Memory,
    step: Step[Memory],
    outputs: Sequence[float],
) -> float | None:
    """The time of the first event in a step that was accepted."""
    if stepper.dense:
        return search.first_root(*ends, step.y1, places_inside(*ends, outputs), step.values)
    shorter = shortened(stepper, field, ends[0], y, memory)
    return search.first_root(*ends, step.y1, (), shorter)
