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
from node_cli.solving.looped_steps import MOST_BYTES
from node_cli.solving.step_graph import clocks_of


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

    @property
    def known(self) -> Sequence[Tensor]:
        """The states, and no field with them."""
        return (self.states,)

    def values(self) -> Tensor:
        """The states at the output times, ``[T, *y0.shape]``."""
        return torch.from_numpy(self.states.numpy()[self.outputs])


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

    Raises:
        NotOneKernelError: a graph is more than one kernel.
    """
    if stepper.tableau.first_same_as_last:
        return None
    ends: list[tuple[float, float]] = []
    places = [0]
    for start, stop in pairwise(times):
        ends += equal_steps(start, stop, step_size)
        places.append(len(ends))
    count, evaluations = len(ends), len(ends) * (1 + len(stepper.tableau.nodes))
    if count * y0.nbytes > MOST_BYTES or not field.allows(evaluations):
        return None
    clocks = clocks_of(stepper.tolerances, stepper.tableau, ends, y0)
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
