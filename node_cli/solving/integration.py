"""From a spec to the function that integrates: the solver with all its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from node_cli.solving.adams import integrate_adams, integrate_adams_in_steps
from node_cli.solving.counted_field import SolvableField
from node_cli.solving.runge_kutta import integrate_adaptively, integrate_in_steps
from node_cli.solving.spec import SolveSpec
from node_cli.solving.state import Norm
from node_cli.solving.step_control import StepControl
from node_cli.solving.tableau import TABLEAUS
from node_cli.solving.torchdiffeq_backend import integrate_scipy
from node_cli.solving.trajectory import Observer, Trajectory


class Integrator(Protocol):
    """Integrates a field over output times; ``first_step`` and ``observe`` where it can."""

    def __call__(
        self,
        field: SolvableField,
        y0: Tensor,
        times: Sequence[float],
        first_step: float | None = None,
        observe: Observer | None = None,
    ) -> Trajectory:
        """Integrate; all else is in the integrator."""
        ...


def integrator(spec: SolveSpec, norm: Norm, span: float) -> Integrator:
    """The solver of a spec.

    Args:
        spec: the solver, its tolerances or steps and its limits.
        norm: of the scaled error.
        span: the length of the whole interval, which ``spec.num_steps`` divides.

    Raises:
        SolverError: the spec does not say how long fixed steps are.
    """
    control = StepControl(spec.method, spec.rtol, spec.atol, norm, spec.min_step, spec.max_steps)
    step_size = spec.length_of_steps(span) if spec.kind == "fixed" else 0.0

    def integrate(
        field: SolvableField,
        y0: Tensor,
        times: Sequence[float],
        first_step: float | None = None,
        observe: Observer | None = None,
    ) -> Trajectory:
        if spec.kind == "scipy":
            return integrate_scipy(field, spec, y0, times)
        if spec.kind == "adaptive":
            if spec.method == "adams":
                return integrate_adams(field, control, y0, times, first_step)
            tableau = TABLEAUS[spec.method]
            return integrate_adaptively(field, tableau, control, y0, times, first_step, observe)
        if spec.method in TABLEAUS:
            tableau = TABLEAUS[spec.method]
            return integrate_in_steps(field, tableau, spec.method, step_size, y0, times, observe)
        return integrate_adams_in_steps(field, spec.method, spec.order, step_size, y0, times)

    return integrate
