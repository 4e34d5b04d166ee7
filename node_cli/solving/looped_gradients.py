"""Gradients of whole solves in one call of a graph: the loop back over the steps is compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from node_cli.solving.attempt_graph import attempt_backward, replayed_backward
from node_cli.solving.compilation import Tensors
from node_cli.solving.compiled_gradients import (
    Taken,
    gradients_of,
    graphs_of_gradients,
    refuse_second_derivatives,
)
from node_cli.solving.compiled_runge_kutta import CompiledRungeKutta, compiled
from node_cli.solving.counted_field import CountedField
from node_cli.solving.graph_loops import NotOneKernelError, backwards, by_turns, whole
from node_cli.solving.host_numbers import tensor_of
from node_cli.solving.integration import Integrator
from node_cli.solving.looped_given_gradients import LoopedGivenSteps
from node_cli.solving.looped_steps import Course, Outputs, outputs_of, values_at

# Numbers that gradients of outputs are spread over at once.
_SPREAD = 2**20


def solve_in_a_loop(
    field: CountedField,
    integrate: Integrator,
    y0: Tensor,
    times: Sequence[float],
    parameters: Sequence[Tensor],
    replays: bool,
) -> Tensor | None:
    """Values at the times, with gradients as of ``solve_in_compiled_steps``; None: see there.

    Args:
        field: as the solve sees it.
        integrate: the solver.
        y0: the packed state at the first time.
        times: in the one order or the other.
        parameters: tensors of the field that get gradients.
        replays: as in checkpointed mode.
    """
    stepper = integrate.stepper
    assert isinstance(stepper, CompiledRungeKutta)
    stepper.parameters, stepper.direct = tuple(parameters), not replays
    start, values = y0.detach(), None
    steps = integrate.given_course(field, start, times)
    if steps is not None:
        values = LoopedGivenSteps.apply(field, stepper, steps, times, replays, y0, *parameters)
    course = integrate.course(field, start, times)
    if course is not None:
        values = _LoopedSteps.apply(field, stepper, course, times, replays, y0, *parameters)
    return values


class _LoopedSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        field: CountedField,
        stepper: CompiledRungeKutta,
        course: Course,
        times: Sequence[float],
        replays: bool,
        y0: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        ctx.outputs = outputs_of(course, times)
        ctx.field, ctx.stepper, ctx.times, ctx.ends = field, stepper, times, course.ends
        ctx.replays = replays
        # Without the end of the last step, which would be kept with them.
        parts = [course.states] if replays else [course.states, course.slopes]
        kept = [torch.from_numpy(part[:-1].copy()) for part in parts]
        for part in kept:
            field.keeps(part)
        ctx.save_for_backward(*kept, *parameters)
        return values_at(course, ctx.outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        refuse_second_derivatives()
        states, *others = ctx.saved_tensors  # torch refuses parameters that were changed since
        slopes = None if ctx.replays else others[0]
        ctx.field.backward_begins()
        gradient = gradients[0].contiguous()
        try:
            found = _in_a_loop(ctx, states, slopes, gradient)
        except NotOneKernelError:
            found = None
        if found is None:
            steps = _steps(ctx.ends, ctx.outputs, ctx.times)
            taken = Taken(ctx.field, ctx.stepper, steps, ctx.times, ctx.replays)
            known = [None] * len(states) if slopes is None else slopes.unbind()
            found = gradients_of(taken, (states.unbind(), known), gradient)
        elif ctx.replays:
            ctx.field.went(ctx.times[0], _replayed(ctx, len(states)), 0, 0)
        return None, None, None, None, None, *found


def _replayed(ctx: Any, steps: int) -> int:
    """The evaluations of steps that are replayed: that at the end where values are inside."""
    begun, outputs = ctx.times.count(ctx.times[0]), ctx.outputs
    inside = outputs.steps[begun:][outputs.bases[begun:] == outputs.steps[begun:]]
    return steps * len(ctx.stepper.tableau.nodes) + len(np.unique(inside))


def _steps(
    ends: np.ndarray, outputs: Outputs, times: Sequence[float]
) -> list[tuple[float, float, range]]:
    """Where each step starts and ends, and the outputs in it; those at the start are in none."""
    places = np.searchsorted(outputs.steps, np.arange(len(ends) + 1))
    places[0] = times.count(times[0])
    return [
        (float(start), float(end), range(int(first), int(last)))
        for (start, end), first, last in zip(ends, places[:-1], places[1:], strict=True)
    ]


def _in_a_loop(
    ctx: Any, states: Tensor, slopes: Tensor | None, gradient: Tensor
) -> tuple[Tensor | None, ...] | None:
    """The gradients of the first state and of the parameters; None: they are not to be had so."""
    stepper, places = ctx.stepper, ctx.ends
    function: Callable[..., Tensors] = replayed_backward
    alone = [states]
    if slopes is not None:
        # The last call, over a step of no length, goes through the field at the start.
        places = np.concatenate([[[places[0, 0], places[0, 0]]], places])
        function, alone = attempt_backward, [torch.cat([x[:1], x]) for x in (states, slopes)]
    of_steps = _of_steps(ctx.outputs, gradient.numpy(), len(states))
    of_steps = np.concatenate([np.zeros_like(of_steps[: len(places) - len(states)]), of_steps])
    alone = [torch.from_numpy(places), *alone, torch.from_numpy(of_steps)]
    tolerances = tensor_of(stepper.tolerances, states)
    moving = [states.new_zeros(2, *states.shape[1:]) for _ in alone[1:-1]]
    count = len(moving)
    moving += [parameter.new_zeros(2, *parameter.shape) for parameter in stepper.parameters]
    examples = [tolerances, *(x[-1] for x in alone), *(x[0] for x in moving)]
    graph = compiled(function, "the gradient of a step", in_loops=True)
    loop = graphs_of_gradients(ctx.field, stepper).loop(graph, *examples)
    if loop is None:
        return None
    given = [whole(tolerances), *map(backwards, alone), *(by_turns(x, 0) for x in moving)]
    made = loop(len(places), given, [by_turns(x, 1) for x in moving])
    adjoint, *sums = (x[made % 2] for x in (moving[0], *moving[count:]))
    # Nothing was added to a gradient that goes through the graph as it came.
    of_parameters = (
        None if loop.passes(place) else total.clone()
        for place, total in enumerate(sums, start=count)
    )
    return adjoint, *of_parameters


def _of_steps(outputs: Outputs, gradient: np.ndarray, count: int) -> np.ndarray:
    """What the outputs add to the gradients of their steps, as ``attempt_backward`` takes it."""
    jump, *others = outputs.weights.T
    at_end = outputs.bases - outputs.steps
    weights = np.array([1.0 - at_end - jump, at_end + jump, *others], jump.dtype).T[:, :, None]
    flat = gradient.reshape(len(gradient), 1, -1)
    total = np.zeros((count, weights.shape[1], flat.shape[-1]), flat.dtype)
    size = max(1, _SPREAD // max(1, total[0].size))
    for begin in range(0, len(flat), size):
        part = slice(begin, begin + size)
        steps = outputs.steps[part]
        first = np.flatnonzero(np.diff(steps, prepend=-1))  # of those in the same step
        total[steps[first]] += np.add.reduceat(weights[part] * flat[part], first)
    return total.reshape(count, weights.shape[1], *gradient.shape[1:])
