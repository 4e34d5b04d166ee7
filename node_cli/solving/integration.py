"""From a spec to the solver with all its settings."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from node_cli.methods import METHODS
from node_cli.solving.adaptive_steps import integrate_adaptively
from node_cli.solving.compiled_runge_kutta import CompiledRungeKutta
from node_cli.solving.counted_field import CountedField, SolvableField
from node_cli.solving.event_search import EventSearch
from node_cli.solving.finiteness import under_vmap
from node_cli.solving.fixed_steps import integrate_in_steps
from node_cli.solving.looped_given_steps import GivenCourse, given_course_of
from node_cli.solving.looped_steps import Course, course_of, in_a_loop
from node_cli.solving.runge_kutta import RungeKutta
from node_cli.solving.spec import SolveSpec
from node_cli.solving.state import Norm
from node_cli.solving.step_control import StepControl
from node_cli.solving.stepper import AdaptiveStepper, Stepper
from node_cli.solving.torchdiffeq_backend import integrate_scipy
from node_cli.solving.trajectory import Observer, Trajectory


class Integrator:
    """The solver of a spec.

    Args:
        spec: the solver, its tolerances or steps and its limits.
        norm: of the scaled error.
        span: the length of the whole interval, which ``spec.num_steps`` divides.
        search: for the event that ends a solve; None: it ends at its last time.

    Attributes:
        control: accepts and sizes the steps.
        is_compiled: each of them is one call of a graph.
        stepper: takes them.

    Raises:
        SolverError: the spec does not say how long fixed steps are.
    """

    def __init__(
        self, spec: SolveSpec, norm: Norm, span: float, search: EventSearch | None = None
    ) -> None:
        self._spec, self._search = spec, search
        self.control = StepControl(
            spec.method, spec.rtol, spec.atol, norm, spec.shortest_step, spec.max_steps
        )
        self.is_compiled = spec.is_compiled and search is None
        self.stepper = (
            CompiledRungeKutta(METHODS[spec.method], self.control)
            if self.is_compiled
            else stepper_of(spec)
        )
        self._step_size = spec.length_of_steps(span) if spec.kind == "fixed" else 0.0

    @property
    def dense_runge_kutta(self) -> RungeKutta | None:
        """The method where it is one of Runge and Kutta with values inside of its steps."""
        stepper = stepper_of(self._spec)
        return stepper if isinstance(stepper, RungeKutta) and stepper.dense else None

    def course(
        self, field: CountedField, y0: Tensor, times: Sequence[float]
    ) -> Course | GivenCourse | None:
        """All steps in a loop that is compiled; None: they are to be taken one by one."""
        spec, stepper = self._spec, self.stepper
        # With a limit of bytes, each step is looked at.
        if not isinstance(stepper, CompiledRungeKutta) or spec.max_saved_bytes is not None:
            return None
        if times[0] == times[-1]:
            return None
        start = y0.contiguous()

        def taken() -> Course | GivenCourse | None:
            if spec.kind == "fixed":
                return given_course_of(field, stepper, self._step_size, start, times)
            return course_of(field, stepper, self.control, start, times)

        found: Course | GivenCourse | None
        with torch.no_grad():
            found = in_a_loop(field, stepper.tableau, start, taken)
        return found

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
            observe: told of each accepted step.

        Raises:
            SolverError: the solve cannot go on.
        """
        spec, control, step = self._spec, self.control, self._step_size
        if self.stepper is None:
            return integrate_scipy(field, spec, y0, times)
        if first_step is None and self._search is not None:
            first_step = self._search.next_step
        if observe is None and first_step is None and isinstance(field, CountedField):
            course = self.course(field, y0, times)
            if course is not None:
                return Trajectory([*course.values().unbind()], times)
        if spec.kind == "fixed":
            return integrate_in_steps(
                field, self.stepper, spec.method, step, y0, times, observe, self._search
            )
        assert isinstance(self.stepper, AdaptiveStepper)
        try:
            return integrate_adaptively(
                field, self.stepper, control, y0, times, first_step, observe, self._search
            )
        except RuntimeError as error:
            if not under_vmap(error):
                raise
            raise ValueError(
                f"{spec.method} chooses its steps by the state, which vmap does not allow; use a"
                " fixed-step solver such as rk4, or give the states as a batch"
            ) from error


def stepper_of(spec: SolveSpec) -> Stepper[Any] | None:
    """What takes the steps of a spec's method; None: SciPy does."""
    method = METHODS[spec.method]
    if method.stepper is None:
        return None
    stepper: Stepper[Any] = pkgutil.resolve_name(method.stepper)(method, spec.order)
    return stepper
