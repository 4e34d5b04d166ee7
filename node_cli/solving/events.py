"""Solves that end at an event, or go on from it after a jump of the state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from node_cli.errors import SolverError
from node_cli.solving.counted_field import CountedField, VectorField
from node_cli.solving.event_function import EventCallable, EventFunction, time_of
from node_cli.solving.event_search import EventSearch, Root
from node_cli.solving.field_result import described
from node_cli.solving.finiteness import refuse_not_finite
from node_cli.solving.solve import checked_times, solve_packed, started
from node_cli.solving.spec import SolveSpec
from node_cli.solving.state import State
from node_cli.solving.stats import SolveStats
from node_cli.source_place import at_place, place_of

# h(t, y): the state after an event, of the shape of the one before it.
Jump = Callable[[Tensor, Any], Any]


class NoEventError(SolverError):
    """An event that was asked for did not come."""


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        time: when, a scalar tensor.
        state: the state then, before a jump.
        which: of the events of a vector, counted from 0.
    """

    time: Tensor
    state: State
    which: int


@dataclass(frozen=True)
class EventSolution:
    """The result of a solve with events.

    Attributes:
        values: the state at the output times: without a jump at those before the event, with jumps
            at all; of shape ``[times, *y0.shape]``, for a tuple of states a tuple of such tensors.
        events: in the order in which they came.
        stats: what it cost; the backward counts are complete after ``backward()``.
        unmet: what is said of the last part of the solve, which met no event; empty where there is
            no such part.
    """

    values: State
    events: tuple[Event, ...]
    stats: SolveStats
    unmet: str

    @property
    def event(self) -> Event:
        """The first event.

        Raises:
            NoEventError: there was none.
        """
        if not self.events:
            raise NoEventError(self.unmet)
        return self.events[0]


def solve_with_events(
    field: VectorField,
    y0: State,
    t: Tensor,
    spec: SolveSpec,
    event: EventCallable,
    jump: Jump | None = None,
    parameters: Iterable[Tensor] | None = None,
    outside_norm: int = 0,
    max_events: int = 1000,
) -> EventSolution:
    r"""Solve :math:`dy/dt = f(t, y)` up to the first root of :math:`g(t, y)` after ``t[0]``.

    The event time and the state there have first derivatives, in every adjoint mode, by the
    implicit function theorem (Chen, Amos and Nickel 2021, Learning neural event functions):

    .. math:: \frac{dt^*}{dx} = - \frac{dg / dx}{\partial g / \partial t +
              (\partial g / \partial y)\, f(t^*, y^*)}

    for whatever :math:`g(t^*, y^*)` depends on: the initial state, parameters of the field, and
    any tensors that ``g`` uses. With a ``jump`` the solve goes on from :math:`h(t^*, y^*)`, and the
    gradients of what follows go through all events before.

    One solve has one event time: a batch is solved state by state. ``max_steps`` of the spec holds
    between two events, its other limits for the whole.

    Args:
        field: ``f(t, y)``, with ``t`` a scalar tensor; returns the shape of ``y``. It is evaluated
            a little beyond an event, up to the end of the step.
        y0: the state at ``t[0]``: a tensor or a tuple of tensors of one dtype.
        t: output times, one-dimensional, in the one order or the other; with the last the solve
            ends without an event.
        spec: solver, tolerances and adjoint mode; only our own solvers know events.
        event: ``g(t, y)``; gives one number, or a vector with one for each of several events, any
            of which ends the solve. What counts is a change of sign between two places that are
            looked at, see ``EventSearch``. A root at ``t[0]`` does not count.
        jump: ``h(t, y)``, the state from which the solve goes on; None: it ends at the event. An
            output time that is an event's own gets the state after the jump.
        parameters: tensors of the field that every mode but ``direct`` gives gradients for; by
            default the parameters of ``field`` where it is a module.
        outside_norm: see ``solve``.
        max_events: more of them are an error.

    Raises:
        EventError: ``event`` or ``jump`` gave something of another kind, or no finite number.
        SolverError: there were more events than ``max_events``, or as for ``solve``. In
            ``backward()``: the slope of ``g`` along the solution is zero at its root, so that the
            event time has no finite gradient.
        ValueError: the times are not in order, or the solver knows no events.
    """
    if spec.backend != "native" or spec.kind == "scipy":
        solver = spec.method if spec.kind == "scipy" else "backend=torchdiffeq"
        raise ValueError(f"events need our own solvers, such as dopri5 or rk4, not {solver}")
    if t.requires_grad:
        raise ValueError("the times get no gradient; to go on from an event, give a jump")
    times: Sequence[float] = checked_times(t)
    forwards, span = times[-1] >= times[0], abs(times[-1] - times[0])
    pieces: list[Tensor] = []
    events: list[Event] = []
    with started(field, y0, spec, parameters, outside_norm) as (counted, given):
        layout = counted.layout
        function = EventFunction(event, layout, spec.method)
        search, root = EventSearch(function), None
        y = layout.pack(y0)
        while True:
            search.begin(counted, times[0], y, forwards)
            solved = solve_packed(counted, y, times, spec, given, span, search)
            root, first = search.root, 1 if events else 0
            if root is None:
                pieces.append(solved[first:])
                break
            refuse_not_finite(solved[-1], "state", spec.method, root.time)
            pieces.append(solved[first:-1])
            time, state = _with_gradient(counted, function, root, solved[-1])
            events.append(Event(time, layout.unpack(state), root.which))
            if jump is None:
                break
            if len(events) > max_events:
                raise SolverError(
                    f"{spec.method} met more than max_events={max_events} events up to"
                    f" t = {root.time:.6g}. Where they come ever closer to one another, as those of"
                    " a ball that comes to rest, end the solve before, or have the jump end the"
                    " events; else raise max_events."
                )
            y = _after(counted, jump, events[-1], root)
            times = [root.time, *times[len(solved) - 1 :]]
    values = torch.cat(pieces)
    unmet = "" if root is not None else search.unmet(times[0], times[-1])
    return EventSolution(
        layout.unpack(values, leading=(len(values),)), tuple(events), counted.stats, unmet
    )


def _with_gradient(
    field: CountedField, function: EventFunction, root: Root, y: Tensor
) -> tuple[Tensor, Tensor]:
    """The event time and the packed state then.

    Args:
        field: the vector field.
        function: the event function.
        root: its root.
        y: the packed state at the time of the root, taken as a constant.
    """
    time = time_of(root.time, y)
    value = function(time, y)[root.which]
    if not value.requires_grad:
        return time, y
    with torch.no_grad():
        slope = field.at(root.time, y)
    by_t, by_y = function.gradients(root.time, y)[root.which]
    rate = by_t + float((by_y * slope).sum())
    if abs(rate) <= math.sqrt(torch.finfo(y.dtype).eps) * root.steepness:
        rate = 0.0
    moving: Tensor = _EventTime.apply(value, time, rate)
    return moving, y + slope * (moving - time)


def _after(field: CountedField, jump: Jump, event: Event, root: Root) -> Tensor:
    """The packed state after a jump, at the time of the root, taken as a constant."""
    given = jump(event.time, event.state)
    before = [event.state] if isinstance(event.state, Tensor) else event.state
    parts = [given] if isinstance(event.state, Tensor) else given
    if (
        not isinstance(parts, tuple | list)
        or len(parts) != len(before)
        or not all(
            isinstance(part, Tensor) and (part.shape, part.dtype) == (old.shape, old.dtype)
            for part, old in zip(parts, before, strict=True)
        )
    ):
        raise SolverError(
            at_place(
                place_of(jump),
                f"the jump gave {described(given)}, where the state is {described(event.state)}; it"
                " must give the state after the event, of the same shape and dtype.",
            )
        )
    y = field.layout.pack(given)
    if not event.time.requires_grad:
        return y
    with torch.no_grad():
        slope = field.at(root.time, y)
    return y - slope * (event.time - event.time.detach())


class _EventTime(torch.autograd.Function):
    """The time of a root, whose gradient for the value of ``g`` there is ``-1 / rate``."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, time: Tensor, rate: float) -> Tensor:
        ctx.time, ctx.rate = float(time), rate
        return time.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.rate == 0.0:
            raise SolverError(
                f"the event at t = {ctx.time:.6g} has no finite gradient: the event function only"
                " grazes zero there, where its slope along the solution is zero. Take the event's"
                " time and state without a gradient (detach), or another event function."
            )
        return -gradients[0] / ctx.rate, None, None
