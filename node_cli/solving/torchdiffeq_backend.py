"""Solving by torchdiffeq: the reference for our own solvers, and the way to SciPy's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from node_cli.solving.counted_field import CountedField, SolvableField
from node_cli.solving.failures import NotFiniteError, StepsError
from node_cli.solving.finiteness import refuse_not_finite
from node_cli.solving.grid import equal_step_grid
from node_cli.solving.spec import SolveSpec
from node_cli.solving.state import State
from node_cli.solving.step_control import TOO_MANY, UNDERFLOW
from node_cli.solving.told_time import at_time
from node_cli.solving.trajectory import Trajectory

# What torchdiffeq's assertions say when a solve cannot go on.
_NOT_FINITE = "non-finite values in state"
_TOO_SMALL = "underflow in dt"
_TOO_MANY = "max_num_steps exceeded"

_ADAMS = ("explicit_adams", "implicit_adams")


def solve_by_torchdiffeq(
    field: CountedField,
    y0: State,
    t: Tensor,
    spec: SolveSpec,
    parameters: Sequence[Tensor] | None,
) -> State:
    """Values at the times ``t``, of shape ``[len(t), ...]``.

    Args:
        field: the vector field.
        y0: the state at ``t[0]``, not packed.
        t: output times.
        spec: solver, tolerances and adjoint mode.
        parameters: tensors that the adjoint gives gradients for; None: backpropagate directly.

    Raises:
        SolverError: the solve cannot go on.
    """
    # Not before it is used: it imports SciPy's solvers.
    from torchdiffeq import odeint, odeint_adjoint

    _connect_callbacks(field, spec)
    method, options = _method(spec, t)
    arguments: dict[str, Any] = {
        "rtol": spec.rtol,
        "atol": spec.atol,
        "method": method,
        "options": options,
    }
    with torchdiffeq_failures(spec.method, field):
        if parameters is None:
            values: State = odeint(field, y0, t, **arguments)
            return values
        adjoint = spec.adjoint_spec()
        method, options = _method(adjoint, t)
        if spec.adjoint == "seminorm":
            options["norm"] = "seminorm"
        adjoint_values: State = odeint_adjoint(
            field,
            y0,
            t,
            **arguments,
            adjoint_method=method,
            adjoint_options=options,
            adjoint_rtol=adjoint.rtol,
            adjoint_atol=adjoint.atol,
            adjoint_params=tuple(parameters),
        )
        return adjoint_values


def integrate_scipy(
    field: SolvableField, spec: SolveSpec, y0: Tensor, times: Sequence[float]
) -> Trajectory:
    """Solve with one of SciPy's methods, outside of torch: without a graph.

    Raises:
        SolverError: SciPy gave up.
    """
    from torchdiffeq import odeint

    # SciPy wants times that increase; where all are the same there is nothing to solve.
    distinct = list(dict.fromkeys(times))
    if len(distinct) == 1:
        return Trajectory([y0] * len(times), times)
    method, options = _method(spec, torch.tensor(times))

    def finite_field(t: Tensor, y: Tensor) -> Tensor:
        # Some of SciPy's solvers never end, and others raise, where they meet a NaN.
        slope = field.at(float(t), y)
        refuse_not_finite(slope, "vector field", spec.method, float(t))
        return slope

    refuse_not_finite(y0, "state", spec.method, times[0])
    with torch.no_grad(), warnings.catch_warnings():
        # torchdiffeq hands each method a smallest step, whether it knows one or not.
        warnings.filterwarnings("ignore", ".*no effect for a chosen solver")
        solved = odeint(
            finite_field,
            y0.detach(),
            torch.tensor(distinct, dtype=torch.float64, device=y0.device),
            rtol=spec.rtol,
            atol=spec.atol,
            method=method,
            options=options,
        )
    # Where SciPy fails it says so only in a message that torchdiffeq does not look at.
    if len(solved) != len(distinct) or not bool(torch.isfinite(solved).all()):
        ends = f"{at_time(times[0])} and {at_time(times[-1])}"
        raise StepsError(
            f"{spec.method} stopped between {ends}: SciPy could not solve the"
            " problem to the tolerance asked for",
            y0.dtype,
            "loosen it or try another solver",
        )
    found = dict(zip(distinct, solved, strict=True))
    return Trajectory([found[t] for t in times], times)


@contextmanager
def torchdiffeq_failures(method: str, field: CountedField | None = None) -> Iterator[None]:
    """Turn torchdiffeq's assertions into a ``SolverError`` that says what to do.

    Also to be put around ``backward()``, where the adjoint solves.
    """
    try:
        yield
    except AssertionError as failure:
        text = str(failure)
        last = None if field is None else field.last_time
        stopped = f"{method} stopped" + ("" if last is None else f" at {at_time(last)}")
        if _NOT_FINITE in text:
            raise NotFiniteError(f"{stopped}: the state is no longer finite") from failure
        for sign, (cause, remedy) in ((_TOO_SMALL, UNDERFLOW), (_TOO_MANY, TOO_MANY)):
            if sign in text:
                dtype = torch.get_default_dtype() if field is None else field.dtype
                happened = f"{stopped}: {cause.format(limit='')}"
                raise StepsError(happened, dtype, remedy) from failure
        raise


def _connect_callbacks(field: CountedField, spec: SolveSpec) -> None:
    """Let torchdiffeq count steps; it warns about callbacks that a solver never calls."""
    for kind, suffix in ((spec.kind, ""), (spec.adjoint_spec().kind, "_adjoint")):
        if kind == "adaptive":
            setattr(field, f"callback_accept_step{suffix}", field.accepted)
            setattr(field, f"callback_reject_step{suffix}", field.rejected)
        elif kind == "fixed":
            setattr(field, f"callback_step{suffix}", field.accepted)


def _method(spec: SolveSpec, t: Tensor) -> tuple[str, dict[str, Any]]:
    """Torchdiffeq's name and options for the solver of ``spec``."""
    if spec.kind == "scipy":
        return "scipy_solver", {"solver": spec.method.removeprefix("scipy-")}
    if spec.kind == "fixed":
        step_size = spec.length_of_steps(abs(float(t[-1].detach() - t[0].detach())))
        options: dict[str, Any] = {"grid_constructor": equal_step_grid(step_size)}
        if spec.method in _ADAMS:
            options["max_order"] = spec.order
        return spec.method, options
    return spec.method, {} if spec.max_steps is None else {"max_num_steps": spec.max_steps}
