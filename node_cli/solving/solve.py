"""The one way to solve an initial value problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from node_cli.methods import METHODS
from node_cli.solving.adjoint import AdjointProblem, solve_with_adjoint
from node_cli.solving.checkpointed import solve_checkpointed
from node_cli.solving.compilation import NotCompiledError, can_be_traced, kind_of
from node_cli.solving.compilation import done as compilations
from node_cli.solving.counted_field import CountedField, VectorField
from node_cli.solving.event_search import EventSearch
from node_cli.solving.integration import Integrator
from node_cli.solving.looped_gradients import solve_in_compiled_steps
from node_cli.solving.saved_bytes_guard import SavedBytesGuard
from node_cli.solving.separable import refuse_inseparable
from node_cli.solving.spec import SolveSpec
from node_cli.solving.state import State, contiguous
from node_cli.solving.stats import SolveStats, announce
from node_cli.solving.torchdiffeq_backend import solve_by_torchdiffeq


@dataclass(frozen=True)
class Solution:
    """The result of a solve.

    Attributes:
        values: the state at each output time, of shape ``[len(t), *y0.shape]``; for a tuple of
            states a tuple of such tensors.
        stats: what it cost; the backward counts are complete after ``backward()``.
    """

    values: State
    stats: SolveStats


def solve(
    field: VectorField,
    y0: State,
    t: Tensor,
    spec: SolveSpec,
    parameters: Iterable[Tensor] | None = None,
    outside_norm: int = 0,
) -> Solution:
    r"""Solve :math:`dy/dt = f(t, y),\ y(t_0) = y_0` at the times ``t``.

    With ``spec.adjoint`` of ``full`` or ``seminorm``, gradients come from the continuous adjoint
    (Chen et al. 2018, eq. 4 and 5): with :math:`a = \partial L / \partial y`,

    .. math:: \frac{da}{dt} = -a^\top \frac{\partial f}{\partial y}, \qquad
              \frac{dL}{d\theta} = -\int_{t_1}^{t_0} a^\top \frac{\partial f}{\partial \theta}\,dt,

    solved backwards in time. Where outputs are closer than its steps, a method with dense output
    passes over several in one (``SpanningStep``). Without gradients enabled every mode is the same
    forward solve.

    Args:
        field: ``f(t, y)``, with ``t`` a scalar tensor; returns the shape of ``y``. A splitting
            method such as ``leapfrog`` needs a ``SeparableField``.
        y0: the state at ``t[0]``: a tensor or a tuple of tensors of one dtype.
        t: output times, one-dimensional, in increasing or in decreasing order, equal ones allowed;
            the first is the initial time. They get no gradient.
        spec: solver, tolerances and adjoint mode.
        parameters: tensors that every mode but ``direct`` gives gradients for; by default the
            parameters of ``field`` where it is a module. Other tensors that the field uses get a
            gradient in ``direct`` mode only.
        outside_norm: so many last parts of the state are outside of the error norm: integrals that
            no other part depends on and that need no accuracy of their own. They do not decide the
            steps; with torchdiffeq's solvers they do.

    Raises:
        SolverError: the state or the field left the finite numbers, a limit was reached, or memory
            ran short, or the field is not what the solver needs.
        ValueError: the times are not in order, or the mode does not go with the solver.
    """
    times = checked_times(t)
    with started(field, y0, spec, parameters, outside_norm) as (counted, given):
        values: State
        if spec.backend == "torchdiffeq":
            _refuse_what_torchdiffeq_lacks(spec, times)
            values = solve_by_torchdiffeq(counted, y0, t, spec, given)
        else:
            span = abs(times[-1] - times[0])
            solved = _solve_in_graphs(counted, y0, times, spec, given, span)
            if solved is None:
                packed = counted.layout.pack(y0)
                solved = solve_packed(counted, packed, times, spec, given, span)
            values = contiguous(counted.layout.unpack(solved, leading=(len(times),)))
    return Solution(values, counted.stats)


@contextmanager
def started(
    field: VectorField,
    y0: State,
    spec: SolveSpec,
    parameters: Iterable[Tensor] | None,
    outside_norm: int,
) -> Iterator[tuple[CountedField, list[Tensor] | None]]:
    """Put around a forward solve: it is counted, announced and guarded.

    Yields:
        The field as the solve sees it, and the tensors that get gradients where these do not come
        from the operations of the solver themselves; else None.
    """
    if METHODS[spec.method].needs == "separable":
        refuse_inseparable(field, y0, spec.method)
    own_gradients = torch.is_grad_enabled() and (spec.adjoint != "direct" or spec.is_compiled)
    if parameters is None and isinstance(field, nn.Module) and (own_gradients or spec.is_compiled):
        parameters = field.parameters()  # which other solves need not ask for
    known = () if parameters is None else tuple(parameters)
    device = (y0 if isinstance(y0, Tensor) else y0[0]).device
    stats = SolveStats()
    guard = SavedBytesGuard(spec, stats, device, field, known)
    counted = CountedField(field, y0, spec.max_nfe, outside_norm, stats, guard)
    counted.weights = known
    announce(stats)
    with guard.watch():
        yield counted, _trained(known) if own_gradients else None
    counted.backward_begins()


def solve_packed(
    field: CountedField,
    y0: Tensor,
    times: Sequence[float],
    spec: SolveSpec,
    parameters: Sequence[Tensor] | None,
    span: float,
    search: EventSearch | None = None,
) -> Tensor:
    """The packed states at the times ``[T, ...]``, or at those before an event and at the event.

    Each step is taken operation by operation.

    Args:
        field: as ``started`` gives it.
        y0: the packed state at the first time.
        times: in the one order or the other.
        spec: how to solve.
        parameters: as ``started`` gives them.
        span: the length of the interval that ``spec.num_steps`` divides.
        search: for the event; None: there is none.
    """
    if spec.is_compiled:
        spec = replace(spec, compile="off")
    return _solve(field, y0, times, spec, parameters, span, search)


def _solve_in_graphs(
    field: CountedField,
    y0: State,
    times: Sequence[float],
    spec: SolveSpec,
    parameters: Sequence[Tensor] | None,
    span: float,
) -> Tensor | None:
    """The packed states at the times; None: they are not compiled, or cannot be."""
    known = kind_of(field.original) in compilations.refused
    if not spec.is_compiled or known or not can_be_traced():
        return None
    field.begins_in_graphs(y0)
    packed = field.layout.pack(y0)
    try:
        if parameters is not None and spec.adjoint in ("direct", "checkpointed"):
            forward = Integrator(spec, field.layout.norm, span)
            replays = spec.adjoint == "checkpointed"
            return solve_in_compiled_steps(field, forward, packed, times, parameters, replays)
        return _solve(field, packed, times, spec, parameters, span, None)
    except NotCompiledError:
        field.begins_again()
        return None


def _solve(
    field: CountedField,
    y0: Tensor,
    times: Sequence[float],
    spec: SolveSpec,
    parameters: Sequence[Tensor] | None,
    span: float,
    search: EventSearch | None,
) -> Tensor:
    forward = Integrator(spec, field.layout.norm, span, search)
    if parameters is None or spec.adjoint == "direct":
        if spec.kind == "scipy" and torch.is_grad_enabled():
            raise ValueError(f"nothing can be backpropagated through {spec.method}")
        return torch.stack(forward(field, y0, times).values)
    if spec.adjoint == "checkpointed":
        if not METHODS[spec.method].one_step:
            raise ValueError(
                "adjoint=checkpointed needs a solver whose steps can be replayed alone, such as"
                f" a Runge-Kutta solver, not {spec.method}"
            )
        assert forward.stepper is not None
        return solve_checkpointed(field, forward.stepper, forward, y0, times, parameters)
    backward = spec.adjoint_spec()
    if not METHODS[backward.method].takes(None):
        raise ValueError(
            f"adjoint={spec.adjoint} solves an augmented system backwards, which is not of the"
            f" kind that {backward.method} is for; use adjoint=checkpointed or direct"
        )
    problem = AdjointProblem(
        field,
        times,
        forward,
        backward_of=lambda norm: Integrator(backward, norm, span),
        seminorm=spec.adjoint == "seminorm",
    )
    return solve_with_adjoint(problem, y0, parameters)


def _trained(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Once each: a parameter that is listed twice would get its gradient twice."""
    return [parameter for parameter in dict.fromkeys(parameters) if parameter.requires_grad]


def _refuse_what_torchdiffeq_lacks(spec: SolveSpec, times: Sequence[float]) -> None:
    for method in (spec.method, spec.adjoint_spec().method):
        if not METHODS[method].in_torchdiffeq:
            raise ValueError(f"torchdiffeq has no {method}; use the native backend")
    if spec.adjoint == "checkpointed":
        raise ValueError("torchdiffeq has no checkpointed gradients; use the native backend")
    if len(set(times)) < len(times):
        raise ValueError("torchdiffeq wants times that differ")


def checked_times(t: Tensor) -> list[float]:
    """Output times as numbers.

    Raises:
        ValueError: they are not one-dimensional and in order, or want a gradient.
    """
    if t.ndim != 1 or len(t) == 0:
        raise ValueError(
            f"the times must be one-dimensional and at least one, not of shape {list(t.shape)}"
        )
    if t.requires_grad:
        raise ValueError("the times get no gradient; scale the time inside of the field instead")
    times: list[float] = t.tolist()
    steps = [b - a for a, b in pairwise(times)]
    if not (all(step >= 0 for step in steps) or all(step <= 0 for step in steps)):
        raise ValueError("the times must be in increasing or in decreasing order")
    return times
