"""Gradients of whole solves in given steps, in one call of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from node_cli.solving.attempt_graph import given_step_backward
from node_cli.solving.compiled_gradients import (
    Taken,
    gradients_of,
    graphs_of_gradients,
    refuse_second_derivatives,
)
from node_cli.solving.compiled_runge_kutta import CompiledRungeKutta, compiled
from node_cli.solving.counted_field import CountedField
from node_cli.solving.graph_loops import NotOneKernelError, backwards, by_turns
from node_cli.solving.looped_given_steps import GivenCourse, values_of


class LoopedGivenSteps(torch.autograd.Function):
    """Values of a course, with gradients in a loop back over its steps."""

    @staticmethod
    def forward(
        ctx: Any,
        field: CountedField,
        stepper: CompiledRungeKutta,
        course: GivenCourse,
        times: Sequence[float],
        replays: bool,
        y0: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        """As of ``solve_in_compiled_steps``."""
        ctx.field, ctx.stepper, ctx.times, ctx.replays = field, stepper, times, replays
        ctx.course = course._replace(states=course.states[:0])
        states = course.states[:-1].clone()
        field.keeps(states)
        ctx.save_for_backward(states, *parameters)
        return values_of(course)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the first state and of the parameters."""
        refuse_second_derivatives()
        states, *_ = ctx.saved_tensors  # torch refuses parameters that were changed since
        field, course, gradient = ctx.field, ctx.course, gradients[0].contiguous()
        field.backward_begins()
        try:
            found = _back(ctx.stepper, field, course, states, gradient)
        except NotOneKernelError:
            found = None
        if found is None:
            taken = Taken(field, ctx.stepper, _steps(course), ctx.times, ctx.replays)
            found = gradients_of(taken, (states.unbind(), (None,) * len(states)), gradient)
        elif ctx.replays:
            field.went(course.ends[0][0], len(states) * (1 + len(ctx.stepper.tableau.nodes)), 0, 0)
        return None, None, None, None, None, *found


def _back(
    stepper: CompiledRungeKutta,
    field: CountedField,
    course: GivenCourse,
    states: Tensor,
    gradient: Tensor,
) -> tuple[Tensor | None, ...] | None:
    """The gradients; None: they are not to be had in a loop."""
    of_states = np.zeros((len(states) + 1, *states.shape[1:]), gradient.numpy().dtype)
    first = np.flatnonzero(np.diff(course.outputs, prepend=-1))  # of those at the same time
    of_states[course.outputs[first]] = np.add.reduceat(gradient.numpy(), first)
    of_ends = torch.from_numpy(of_states)[1:]
    moving = [states.new_zeros(2, *states.shape[1:])]
    moving += [parameter.new_zeros(2, *parameter.shape) for parameter in stepper.parameters]
    alone = [course.clocks, states, of_ends]
    function = compiled(given_step_backward, "the gradient of a step", in_loops=True)
    examples = [*(x[-1] for x in alone), *(x[0] for x in moving)]
    loop = graphs_of_gradients(field, stepper).loop(function, *examples)
    if loop is None:
        return None
    given = [*map(backwards, alone), *(by_turns(x, 0) for x in moving)]
    made = loop(len(states), given, [by_turns(x, 1) for x in moving])
    adjoint, *sums = (x[made % 2] for x in moving)
    of_parameters = (
        None if loop.passes(place) else total.clone() for place, total in enumerate(sums, start=1)
    )
    return adjoint + torch.from_numpy(of_states)[0], *of_parameters


def _steps(course: GivenCourse) -> list[tuple[float, float, range]]:
    """Where each step starts and ends, and the outputs at its end."""
    first = np.searchsorted(course.outputs, np.arange(1, len(course.ends) + 2))
    return [
        (*ends, range(int(begin), int(after)))
        for ends, begin, after in zip(course.ends, first[:-1], first[1:], strict=True)
    ]
