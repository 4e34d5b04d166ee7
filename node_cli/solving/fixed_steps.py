"""The loop of all solvers whose steps are given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.event_search import EventSearch, shortened
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
    search: EventSearch | None = None,
) -> Trajectory:
    """Solve with equal steps between each two output times, none longer than ``step_size``.

    A step with an event in it is taken again, shortened to end there: so the event is found with
    the order of the method.

    Args:
        field: the vector field.
        stepper: takes the steps.
        method: the solver's name, for messages.
        step_size: in units of the times.
        y0: the packed state at ``times[0]``.
        times: output times, in the one order or the other; equal ones are allowed.
        observe: told of each step.
        search: for the event that ends the solve.

    Raises:
        SolverError: the state left the finite numbers; with the time and the step.
    """
    values, y = [y0], y0
    left: Memory | None = None  # by the step before
    finite = FiniteSteps(method, reads_freely=y0.device.type == "cpu")
    for number, (start, stop) in enumerate(pairwise(times), start=1):
        for t0, t1 in equal_steps(start, stop, step_size):
            memory = stepper.init(field, t0, y, left)
            step = stepper.step(field, t0, t1, y, memory)
            root = None
            if search is not None:
                shorter = shortened(stepper, field, t0, y, memory)
                root = search.first_root(t0, t1, step.y1, (), shorter)
            if root is not None:
                t1, step = root, stepper.step(field, t0, root, y, memory)
            field.accepted()
            if observe is not None:
                count = 1 if root is not None else times.count(stop) if t1 == stop else 0
                observe(AcceptedStep(t0, t1, y, range(number, number + count), memory))
            y, left = step.y1, step.memory()
            finite.add((t0, t1), y)
            if root is not None:
                finite.check()
                return Trajectory([*values, y], (*times[:number], root))
        finite.interval_ends()
        values.append(y)
    finite.check()
    return Trajectory(values, times)
