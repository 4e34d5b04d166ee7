"""Whole solves in given steps in one call of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from node_cli.solving.attempt_graph import given_step_forward
from node_cli.solving.compiled_runge_kutta import CompiledRungeKutta, compiled
from node_cli.solving.counted_field import CountedField
from node_cli.solving.graph_loops import series
from node_cli.solving.grid import equal_steps
from node_cli.solving.host_numbers import tensor_of
from node_cli.solving.looped_steps import MOST_BYTES, in_a_loop
from node_cli.solving.step_graph import stage_times


class GivenCourse(NamedTuple):
    """The steps of a solve.

    Attributes:
        ends: where each starts and ends.
        clocks: of each, as of ``step_graph``, ``[S, C]``.
        states: at their starts, and at the end of the last one, ``[S + 1, *y0.shape]``.
        outputs: the places of the output times among these, ``[T]``.
    """

    ends: Sequence[tuple[float, float]]
    clocks: Tensor
    states: Tensor
    outputs: np.ndarray


def given_course_of(
    field: CountedField,
    stepper: CompiledRungeKutta,
    step_size: float,
    y0: Tensor,
    times: Sequence[float],
) -> GivenCourse | None:
    """Equal steps as of ``integrate_in_steps``; None: they are to be taken one by one.

    Args:
        field: the vector field.
        stepper: a method whose steps are given.
        step_size: in units of the times.
        y0: the packed state at the first time.
        times: in the one order or the other.
    """
    if times[0] == times[-1] or stepper.tableau.first_same_as_last:
        return None
    return in_a_loop(
        field, stepper, y0, lambda: _taken(field, stepper, step_size, y0.contiguous(), times)
    )


def _taken(
    field: CountedField,
    stepper: CompiledRungeKutta,
    step_size: float,
    y0: Tensor,
    times: Sequence[float],
) -> GivenCourse | None:
    ends: list[tuple[float, float]] = []
    places = [0]
    for start, stop in pairwise(times):
        ends += equal_steps(start, stop, step_size)
        places.append(len(ends))
    count, evaluations = len(ends), len(ends) * (1 + len(stepper.tableau.nodes))
    if count * y0.nbytes > MOST_BYTES or not field.allows(evaluations):
        return None
    rows = [
        [*stepper.tolerances, t1 - t0, *stage_times(stepper.tableau, t0, t1)] for t0, t1 in ends
    ]
    clocks = tensor_of(rows, y0)
    function = compiled(given_step_forward, "a step", in_loops=True)
    loop = stepper.graphs(field).loop(function, clocks[0], y0)
    if loop is None:
        return None
    states = y0.new_empty(count + 1, *y0.shape)
    states[0] = y0
    loop(count, [series(clocks), series(states)], [series(states, 1)])
    if not np.isfinite(states.numpy()).all():
        return None
    field.went(times[-1], evaluations, count, 0)
    return GivenCourse(ends, clocks, states, np.array(places))


def values_of(course: GivenCourse) -> Tensor:
    """The states at the output times, ``[T, *y0.shape]``."""
    return torch.from_numpy(course.states.numpy()[course.outputs])
