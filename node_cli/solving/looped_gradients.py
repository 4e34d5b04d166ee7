"""Gradients of whole solves in one call of a graph: the loop back over the steps is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from node_cli.solving.compiled_gradients import (
    CompiledSteps,
    Taken,
    gradients_of,
    graphs_of_gradients,
    refuse_second_derivatives,
)
from node_cli.solving.compiled_runge_kutta import CompiledRungeKutta, compiled
from node_cli.solving.counted_field import CountedField
from node_cli.solving.graph_loops import NotOneKernelError, backwards, by_turns, whole
from node_cli.solving.integration import Integrator
from node_cli.solving.looped_given_steps import GivenCourse
from node_cli.solving.looped_steps import Course
from node_cli.solving.ways_back import Calls, way_back


def solve_in_compiled_steps(
    field: CountedField,
    integrate: Integrator,
    y0: Tensor,
    times: Sequence[float],
    parameters: Sequence[Tensor],
    replays: bool,
) -> Tensor:
    """Values at the times; the gradients are those of the discrete solve, as in direct mode.

    All steps are taken in one call where that can be.

    Args:
        field: as the solve sees it.
        integrate: the solver, with a ``CompiledRungeKutta``.
        y0: the packed state at the first time.
        times: in the one order or the other.
        parameters: tensors of the field that get gradients.
        replays: only the states at accepted steps are kept, and the backward pass counts what it
            evaluates, as in checkpointed mode; else the field there is kept too.
    """
    stepper = integrate.stepper
    assert isinstance(stepper, CompiledRungeKutta)
    stepper.parameters, stepper.direct = tuple(parameters), not replays
    course = integrate.course(field, y0.detach(), times)
    values: Tensor
    if course is None:
        values = CompiledSteps.apply(field, integrate, times, replays, y0, *parameters)
    else:
        values = _LoopedSteps.apply(field, stepper, course, times, replays, y0, *parameters)
    return values


class _LoopedSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        field: CountedField,
        stepper: CompiledRungeKutta,
        course: Course | GivenCourse,
        times: Sequence[float],
        replays: bool,
        y0: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        ctx.way = way_back(stepper, course, times.count(times[0]))
        ctx.field, ctx.stepper, ctx.times, ctx.replays = field, stepper, times, replays
        known = course.known[:1] if replays else course.known
        # Without the end of the last step, which would be kept with them.
        kept = [part[:-1].clone() for part in known]
        for part in kept:
            field.keeps(part)
        ctx.save_for_backward(*kept, *parameters)
        return course.values()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivatives()
        field, stepper, way = ctx.field, ctx.stepper, ctx.way
        # Torch refuses parameters that were changed since.
        kept = ctx.saved_tensors[: len(ctx.saved_tensors) - len(stepper.parameters)]
        gradient = gradients[0].contiguous()
        field.backward_begins()
        evaluations = way.replayed if ctx.replays else 0
        found = None
        if field.allows(evaluations):  # else it is told in which step there are too many
            found = _in_a_loop(field, stepper, way.calls(kept, gradient.numpy()))
        if found is None:
            states, *slopes = (part.unbind() for part in kept)
            taken = Taken(field, stepper, way.steps, ctx.times, ctx.replays)
            starts = states, slopes[0] if slopes else (None,) * len(states)
            found = gradients_of(taken, starts, gradient)
        elif ctx.replays:
            field.went(ctx.times[0], evaluations, 0, 0)
        return None, None, None, None, None, *found


def _in_a_loop(
    field: CountedField, stepper: CompiledRungeKutta, calls: Calls
) -> tuple[Tensor | None, ...] | None:
    """The gradients of the first state and of the parameters; None: they are not to be had so."""
    shared, alone = calls.shared, calls.alone
    sums = [parameter.new_zeros(2, *parameter.shape) for parameter in stepper.parameters]
    moving = [*calls.moving, *sums]
    function = compiled(calls.function, "the gradient of a step", in_loops=True)
    examples = [*shared, *(x[-1] for x in alone), *(x[0] for x in moving)]
    try:
        loop = graphs_of_gradients(field, stepper).loop(function, *examples)
    except NotOneKernelError:
        return None
    if loop is None:
        return None
    given = [*map(whole, shared), *map(backwards, alone), *(by_turns(x, 0) for x in moving)]
    last = loop(len(alone[0]), given, [by_turns(x, 1) for x in moving]) % 2
    adjoint = moving[0][last]
    # Nothing was added to a gradient that goes through the graph as it came.
    of_parameters = (
        None if loop.passes(place) else total[last].clone()
        for place, total in enumerate(sums, start=len(calls.moving))
    )
    return adjoint if calls.of_start is None else adjoint + calls.of_start, *of_parameters
