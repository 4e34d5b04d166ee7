"""The loop of all solvers whose steps are given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.finiteness import FiniteSteps
from node_cli.solving.grid import equal_steps
from node_cli.solving.stepper import Stepper
from node_cli.solving.trajectory import AcceptedStep, Observer, Trajectory

Memory = TypeVar("Memory")


def integrate_in_steps(
    field: SolvableField,
    stepper: Stepper[Memory],
    method: str,
    step_size: float,
    y0: Tensor,
    times: Sequence[float],
    observe: Observer | None = None,
) -> Trajectory:
    """Solve with equal steps between each two output times, none longer than ``step_size``.

    Args:
        field: the vector field.
        stepper: takes the steps.
        method: the solver's name, for messages.
        step_size: in units of the times.
        y0: the packed state at ``times[0]``.
        times: output times, in the one order or the other; equal ones are allowed.
        observe: told of each step.

    Raises:
        SolverError: the state left the finite numbers; with the time and the step.
    """
    values, y = [y0], y0
    left: Memory | None = None  # by the step before
    for number, (start, stop) in enumerate(pairwise(times), start=1):
        steps = equal_steps(start, stop, step_size)
        finite = FiniteSteps(method, start, stop, len(steps))
        for t0, t1 in steps:
            step = stepper.step(field, t0, t1, y, stepper.init(field, t0, y, left))
            field.accepted()
            if observe is not None:
                outputs = range(number, number + times.count(stop)) if t1 == stop else range(0)
                observe(AcceptedStep(t0, t1, y, outputs))
            y, left = step.y1, step.memory()
            finite.add(y)
        finite.check()
        values.append(y)
    return Trajectory(values, None)
