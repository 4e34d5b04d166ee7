"""From a spec to the solver with all its settings."""

from __future__ import annotations

from collections.abc import Sequence

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


class Integrator:
    """The solver of a spec.

    Args:
        spec: the solver, its tolerances or steps and its limits.
        norm: of the scaled error.
        span: the length of the whole interval, which ``spec.num_steps`` divides.

    Raises:
        SolverError: the spec does not say how long fixed steps are.
    """

    def __init__(self, spec: SolveSpec, norm: Norm, span: float) -> None:
        self._spec = spec
        self._control = StepControl(
            spec.method, spec.rtol, spec.atol, norm, spec.min_step, spec.max_steps
        )
        self._step_size = spec.length_of_steps(span) if spec.kind == "fixed" else 0.0

    def __call__(
        self,
        field: SolvableField,
        y0: Tensor,
        times: Sequence[float],
        first_step: float | None = None,
        observe: Observer | None = None,
    ) -> Trajectory:
        """Integrate over output times.

        Args:
            field: the vector field.
            y0: the packed state at ``times[0]``.
            times: in the one order or the other; equal ones are allowed.
            first_step: with which an adaptive solver begins; None: it chooses.
            observe: told of each accepted step of a Runge-Kutta method.

        Raises:
            SolverError: the solve cannot go on.
        """
        spec, control, step = self._spec, self._control, self._step_size
        tableau = TABLEAUS.get(spec.method)
        if spec.kind == "scipy":
            return integrate_scipy(field, spec, y0, times)
        if spec.kind == "adaptive" and tableau is not None:
            return integrate_adaptively(field, tableau, control, y0, times, first_step, observe)
        if spec.kind == "adaptive":
            return integrate_adams(field, control, y0, times, first_step)
        if tableau is not None:
            return integrate_in_steps(field, tableau, spec.method, step, y0, times, observe)
        return integrate_adams_in_steps(field, spec.method, spec.order, step, y0, times)
