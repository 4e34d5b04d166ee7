"""Gradients through compiled steps: each is computed again from its start, as one graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from node_cli.errors import SolverError
from node_cli.solving.bound_graphs import BoundGraphs, named
from node_cli.solving.compiled_runge_kutta import CompiledRungeKutta, compiled
from node_cli.solving.counted_field import CountedField
from node_cli.solving.host_numbers import slice_of, tensor_of
from node_cli.solving.integration import Integrator
from node_cli.solving.runge_kutta import dense_rows
from node_cli.solving.step_graph import (
    clock_of,
    clocks_of,
    stage_times,
    start_backward,
    step_backward,
)
from node_cli.solving.trajectory import AcceptedStep


class CompiledSteps(torch.autograd.Function):
    """Values of a solve step by step, with the gradients of the discrete solve."""

    @staticmethod
    def forward(
        ctx: Any,
        field: CountedField,
        integrate: Integrator,
        times: Sequence[float],
        replays: bool,
        y0: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        """As of ``solve_in_compiled_steps``."""
        steps: list[AcceptedStep] = []
        stepper = integrate.stepper
        assert isinstance(stepper, CompiledRungeKutta)
        keeps_slopes = not replays and stepper.tableau.first_same_as_last

        def observe(step: AcceptedStep) -> None:
            steps.append(step)
            field.keeps(step.y0)
            if keeps_slopes:
                field.keeps(step.memory.slope)

        trajectory = integrate(field, y0, times, observe=observe)
        ctx.field, ctx.stepper, ctx.times = field, stepper, trajectory.times
        ctx.replays, ctx.keeps_slopes = replays, keeps_slopes
        ctx.steps = [(step.start, step.end, step.outputs) for step in steps]
        slopes = [step.memory.slope for step in steps] if keeps_slopes else []
        ctx.save_for_backward(*(step.y0 for step in steps), *slopes, *parameters)
        return torch.stack(trajectory.values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the first state and of the parameters."""
        refuse_second_derivatives()
        (gradient,) = gradients
        count = len(ctx.steps)
        kept = 2 * count if ctx.keeps_slopes else count
        saved = ctx.saved_tensors  # torch refuses parameters that were changed since
        starts = saved[:count], saved[count:kept] or (None,) * count
        ctx.field.backward_begins()
        taken = Taken(ctx.field, ctx.stepper, ctx.steps, ctx.times, ctx.replays)
        return None, None, None, None, *gradients_of(taken, starts, gradient)


def refuse_second_derivatives() -> None:
    """Say that they cannot be had.

    Raises:
        SolverError: where a gradient is to have one.
    """
    if torch.is_grad_enabled():
        raise SolverError(
            "second derivatives (create_graph=True) do not go through compiled steps; use"
            " compile=off"
        )


class Taken(NamedTuple):
    """A solve that was taken.

    Attributes:
        field: of the solve.
        stepper: that took the steps.
        steps: where each starts and ends, and the outputs in it.
        times: of the outputs.
        replays: what is evaluated for the gradient counts.
    """

    field: CountedField
    stepper: CompiledRungeKutta
    steps: Sequence[tuple[float, float, range]]
    times: Sequence[float]
    replays: bool


def gradients_of(
    taken: Taken,
    starts: tuple[Sequence[Tensor], Sequence[Tensor | None]],
    gradient: Tensor,
) -> tuple[Tensor | None, ...]:
    """Those of the first state and of the parameters, taken back step by step.

    Args:
        taken: the solve.
        starts: of each step the state, and the field where it was kept.
        gradient: of the values, ``[T, *y0.shape]``.
    """
    states, slopes = starts
    times, count = taken.times, len(taken.steps)
    back = _Backward(taken, gradient[0])
    adjoint = torch.zeros_like(gradient[0])
    keeps_slopes = bool(count) and slopes[0] is not None
    of_slope = torch.zeros_like(adjoint) if keeps_slopes else None
    for number in reversed(range(count)):
        _, end, outputs = taken.steps[number]
        start = states[number], slopes[number]
        inside = [i for i in outputs if times[i] != end]
        for i in outputs:
            if times[i] == end:
                adjoint = adjoint + gradient[i]
        values = ([times[i] for i in inside], gradient[slice_of(inside)]) if inside else None
        adjoint, of_slope = back(number, start, (adjoint, of_slope), values)
    if of_slope is not None:
        adjoint = adjoint + back.first_slope(taken.steps[0][0], states[0], of_slope)
    for i, t in enumerate(times):
        if t == times[0]:
            adjoint = adjoint + gradient[i]
    return adjoint, *back.of_parameters()


def graphs_of_gradients(field: CountedField, stepper: CompiledRungeKutta) -> BoundGraphs:
    """The graphs of the gradients of a solve."""
    system = stepper.system(field, of_gradients=True)
    setting = (stepper.tableau, "gradients", *named(stepper.parameters))
    return BoundGraphs(system, setting, or_plain=True, forward=field.graphs)


class _Backward:
    """Takes gradients back over one step after the other.

    Args:
        taken: the solve.
        like: a state.

    Attributes:
        sums: the gradients of the parameters so far.
    """

    def __init__(self, taken: Taken, like: Tensor) -> None:
        self._field = field = taken.field
        self._stepper = stepper = taken.stepper
        self._replays, parameters = taken.replays, stepper.parameters
        self._ends = ends = [(start, end) for start, end, _ in taken.steps]
        # Those of all steps at once: to make a small tensor takes as long as a small step.
        self._clocks: Sequence[Tensor] = ()
        if ends:
            self._clocks = clocks_of(stepper.tolerances, stepper.tableau, ends, like).unbind()
        self._graphs = graphs_of_gradients(field, stepper)
        # As graphs take them: a copy would not be known for what nothing was added to.
        self._zeros = self.sums = tuple(
            torch.zeros_like(parameter, memory_format=torch.contiguous_format)
            for parameter in parameters
        )

    def __call__(
        self,
        number: int,
        start: tuple[Tensor, Tensor | None],
        of_end: tuple[Tensor, Tensor | None],
        values: tuple[Sequence[float], Tensor] | None,
    ) -> tuple[Tensor, Tensor | None]:
        """The gradients of state and field at the start of a step.

        Args:
            number: of the step.
            start: the state at its start, and the field where it was kept.
            of_end: the gradients at its end.
            values: times inside of it, and the gradients of the values there.
        """
        (y0, f0), (of_y1, of_f1), (t0, t1) = start, of_end, self._ends[number]
        tableau = self._stepper.tableau
        of_y0 = of_f0 = of_middle = None
        if values is not None:
            weights = () if tableau.middle is None else (1.0,)
            rows = tensor_of(dense_rows(t0, t1, values[0], weights), y0)
            products = rows.t() @ values[1].reshape(len(rows), -1)
            rise, of_f0, last, *rest = products.reshape(len(products), *y0.shape).unbind()
            of_y0, of_y1 = values[1].sum(dim=0) - rise, of_y1 + rise
            of_f1 = last if of_f1 is None else of_f1 + last
            of_middle = rest[0] if rest else None
        if self._replays:
            self._count(t0, t1, values is not None)
        clock, of_start = self._clocks[number], of_f0 if f0 is None else None
        given = (clock, y0, f0, of_y1, of_f1, of_middle, of_start)
        step = compiled(step_backward, "the gradient of a step")
        adjoint, *found = self._graphs(step, *given, *self.sums)
        of_slope = None
        if f0 is not None:
            of_slope, *found = found
            of_slope = of_slope if of_f0 is None else of_slope + of_f0
        self.sums = tuple(found)
        return adjoint if of_y0 is None else adjoint + of_y0, of_slope

    def of_parameters(self) -> list[Tensor | None]:
        """The gradients of the parameters; None: nothing depends on one, and nothing was added."""
        return [
            None
            if total is zero or (total.numel() and total.data_ptr() == zero.data_ptr())
            else total
            for total, zero in zip(self.sums, self._zeros, strict=True)
        ]

    def first_slope(self, t: float, y: Tensor, gradient: Tensor) -> Tensor:
        """The gradient of the first state by the field there."""
        start = compiled(start_backward, "the gradient of the start")
        clock = clock_of(self._stepper.tolerances, 0.0, [t], y)
        of_y, *found = self._graphs(start, clock, y, gradient, *self.sums)
        self.sums = tuple(found)
        return of_y

    def _count(self, t0: float, t1: float, inside: bool) -> None:
        """Count as a step that is replayed, which does not evaluate what it does not need."""
        tableau = self._stepper.tableau
        times = stage_times(tableau, t0, t1)
        if tableau.first_same_as_last:
            times.pop()
        self._field.evaluated([*times, t1] if inside else times)
