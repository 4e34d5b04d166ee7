"""The one way to solve an initial value problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchdiffeq import odeint, odeint_adjoint

from node_cli.errors import SolverError
from node_cli.solving.counted_field import CountedField, State, VectorField
from node_cli.solving.grid import equal_step_grid
from node_cli.solving.spec import SolveSpec
from node_cli.solving.stats import SolveStats, announce

# What torchdiffeq's assertions say when a solve cannot go on, and what it means for the user.
_CAUSES = {
    "underflow in dt": "its step size fell to zero, as it does where the vector field is not"
    " finite or the problem is stiff; try a looser tolerance, a smaller learning rate or another"
    " solver",
    "non-finite values in state": "the state is no longer finite; try a smaller learning rate or"
    " gradient clipping (trainer.clip_norm)",
    "max_num_steps exceeded": "it took more steps than solver.max_steps allows; raise that limit"
    " or loosen the tolerance",
}

_ADAMS = ("explicit_adams", "implicit_adams")


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
) -> Solution:
    r"""Solve :math:`dy/dt = f(t, y),\ y(t_0) = y_0` at the times ``t``.

    With ``spec.adjoint`` of ``full`` or ``seminorm``, gradients come from the continuous adjoint
    (Chen et al. 2018, eq. 4 and 5): with :math:`a = \partial L / \partial y`,

    .. math:: \frac{da}{dt} = -a^\top \frac{\partial f}{\partial y}, \qquad
              \frac{dL}{d\theta} = -\int_{t_1}^{t_0} a^\top \frac{\partial f}{\partial \theta}\,dt,

    solved backwards in time. Without gradients enabled every mode is the same forward solve.

    Args:
        field: ``f(t, y)``, with ``t`` a scalar tensor; returns the shape of ``y``.
        y0: the state at ``t[0]``: a tensor or a tuple of tensors.
        t: output times, one-dimensional, strictly increasing or strictly decreasing; the first is
            the initial time.
        spec: solver, tolerances and adjoint mode.
        parameters: tensors that the adjoint gives gradients for; by default the parameters of
            ``field`` where it is a module.

    Raises:
        SolverError: the state or the field left the finite numbers, or the solver used up its
            steps.
    """
    device = y0.device if isinstance(y0, Tensor) else y0[0].device
    counted = CountedField(field, spec.kind, device)
    announce(counted.stats)
    method, options = _torchdiffeq_method(spec, t)
    arguments: dict[str, Any] = {
        "rtol": spec.rtol,
        "atol": spec.atol,
        "method": method,
        "options": options,
    }
    with solver_failures(spec.method, counted):
        if spec.adjoint == "direct" or not torch.is_grad_enabled():
            values = odeint(counted, y0, t, **arguments)
        else:
            if parameters is None:
                parameters = field.parameters() if isinstance(field, nn.Module) else ()
            if spec.adjoint == "seminorm":
                arguments["adjoint_options"] = {**options, "norm": "seminorm"}
            values = odeint_adjoint(counted, y0, t, adjoint_params=tuple(parameters), **arguments)
    counted.forward_done()
    return Solution(values, counted.stats)


@contextmanager
def solver_failures(method: str, counted: CountedField | None = None) -> Iterator[None]:
    """Turn torchdiffeq's assertions into a ``SolverError`` that says what to do.

    Also to be put around ``backward()``, where the adjoint solves.
    """
    try:
        yield
    except AssertionError as failure:
        text = str(failure)
        for sign, cause in _CAUSES.items():
            if sign in text:
                last = None if counted is None else counted.last_time
                where = "" if last is None else f" at t = {float(last.detach()):.6g}"
                # The text of the assertion may hold a whole state, so it is cut.
                raise SolverError(f"{method} stopped{where}: {cause}. ({text[:120]})") from failure
        raise


def _torchdiffeq_method(spec: SolveSpec, t: Tensor) -> tuple[str, dict[str, Any]]:
    """Torchdiffeq's name and options for the solver of ``spec``."""
    if spec.kind == "scipy":
        return "scipy_solver", {"solver": spec.method.removeprefix("scipy-")}
    if spec.kind == "fixed":
        step_size = spec.step_size
        if spec.num_steps is not None:
            step_size = abs(float(t[-1].detach() - t[0].detach())) / spec.num_steps
        if step_size is None:
            raise SolverError(
                f"{spec.method} takes fixed steps: give solver.step_size or solver.num_steps."
            )
        options: dict[str, Any] = {"grid_constructor": equal_step_grid(step_size)}
        if spec.method in _ADAMS:
            options["max_order"] = spec.max_order
        return spec.method, options
    return spec.method, {} if spec.max_steps is None else {"max_num_steps": spec.max_steps}
