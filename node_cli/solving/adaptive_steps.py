"""The loop of all solvers whose steps follow an error estimate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.step_control import StepControl
from node_cli.solving.stepper import AdaptiveStepper
from node_cli.solving.trajectory import AcceptedStep, Observer, Trajectory

Memory = TypeVar("Memory")


def integrate_adaptively(
    field: SolvableField,
    stepper: AdaptiveStepper[Memory],
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
        stepper: takes the steps.
        control: accepts and sizes them.
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
    h = first_step
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
                slope, order = stepper.slope(memory), stepper.error_order
                h = control.first_step(field, t, end, y, slope, order)
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
        while reached < len(times) and direction * (times[reached] - t1) < 0.0:
            reached += 1
        if reached > first:
            values.extend(step.values(times[first:reached]).unbind())
        while len(values) < len(times) and times[len(values)] == t1:
            values.append(step.y1)
        if observe is not None:
            observe(AcceptedStep(t, t1, y, range(first, len(values))))
        t, y = t1, step.y1
        left, memory = verdict.change(step.memory()), None
    return Trajectory(values, h if stepper.carries_step else None)
