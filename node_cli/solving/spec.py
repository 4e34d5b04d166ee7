"""How an initial value problem is to be solved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from node_cli.errors import SolverError
from node_cli.methods import METHODS, SolverKind
from node_cli.schema.adjoint import ADJOINT_MODES, AdjointMode
from node_cli.schema.compile import COMPILE, Compile
from node_cli.schema.solver import BACKENDS, Backend
from node_cli.schema.spelling import no_such
from node_cli.schema.tolerance import Tolerances

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig


# Of an adaptive evaluation where training takes fixed steps, and so has no such limit.
_MAX_STEPS = 10_000


@dataclass(frozen=True)
class BackwardSpec:
    """What the continuous adjoint does otherwise than the forward solve; None: the same.

    Attributes:
        method: the solver's name.
        rtol: relative error allowed in one step.
        atol: absolute error allowed in one step.
        step_size: longest step of a fixed-step solver.
    """

    method: str | None = None
    rtol: float | None = None
    atol: float | None = None
    step_size: float | None = None

    def __post_init__(self) -> None:
        if self.method is not None:
            _refuse_unknown("method", self.method, METHODS)


@dataclass(frozen=True)
class SolveSpec:
    """A solver, the errors it may make and the way to its gradients.

    Attributes:
        method: the solver's name, such as ``dopri5``, ``rk4`` or ``scipy-LSODA``.
        rtol: relative error allowed in one step; used by adaptive and SciPy solvers.
        atol: absolute error allowed in one step, in the units of the state.
        adjoint: ``direct`` backpropagates through the solver's operations; ``full`` solves the
            continuous adjoint (Chen et al. 2018); ``seminorm`` does so without the parameters'
            part in the error norm (Kidger et al. 2021); ``checkpointed`` keeps the states at
            accepted steps and replays each step.
        step_size: longest step of a fixed-step solver, in units of ``t``.
        num_steps: the longest step is the whole interval divided by it; replaces ``step_size``.
            Every output time is met, so that between two of them there is at least one step.
        max_steps: attempts that an adaptive solver may make in one solve; in the continuous
            adjoint between two output times.
        max_nfe: evaluations that one solve may take, forward and backward each.
        max_saved_bytes: what one solve may keep for the backward pass, counted exactly; None: a
            share of the memory that is free.
        min_step: a solve that needs a smaller step ends with an error, in units of ``t``.
        order: of an Adams method of fixed order.
        backward: what the continuous adjoint does otherwise.
        backend: ``native``, our own solvers, or ``torchdiffeq``, the reference for them.
        time_unit: what a unit of ``t`` is in the units in which the lengths of steps are given.
        compile: ``step`` compiles a step and its gradient, of explicit Runge-Kutta methods of our
            own; where that cannot be done they run as they are.

    Raises:
        ValueError: there is no such solver, adjoint mode or backend.
    """

    method: str = "dopri5"
    rtol: float = 1e-3
    atol: float = 1e-4
    adjoint: AdjointMode = "direct"
    step_size: float | None = None
    num_steps: int | None = None
    max_steps: int | None = None
    max_nfe: int | None = None
    max_saved_bytes: int | None = None
    min_step: float | None = None
    order: int = 4
    backward: BackwardSpec = BackwardSpec()
    backend: Backend = "native"
    time_unit: float = 1.0
    compile: Compile = "off"

    def __post_init__(self) -> None:
        _refuse_unknown("method", self.method, METHODS)
        _refuse_unknown("adjoint", self.adjoint, ADJOINT_MODES)
        _refuse_unknown("backend", self.backend, BACKENDS)
        _refuse_unknown("compile", self.compile, COMPILE)

    @property
    def kind(self) -> SolverKind:
        """``adaptive`` (steps follow the error), ``fixed`` (steps are given) or ``scipy``."""
        return METHODS[self.method].kind

    @property
    def is_compiled(self) -> bool:
        """Whether steps are compiled."""
        explicit = METHODS[self.method].tableau is not None
        return self.compile == "step" and explicit and self.backend == "native"

    @classmethod
    def from_config(cls, config: RunConfig) -> SolveSpec:
        """The spec that the solver groups of a run ask for."""
        solver, adjoint = config.solver, config.adjoint
        # Other solvers have an order too, which is none to choose.
        chosen_order = bool(METHODS[solver.name].orders)
        return cls(
            method=solver.name,
            rtol=config.tolerance.rtol,
            atol=config.tolerance.atol,
            adjoint=adjoint.mode,
            step_size=solver.step_size,
            num_steps=solver.num_steps,
            max_steps=solver.max_steps,
            max_nfe=solver.max_nfe,
            max_saved_bytes=solver.max_saved_bytes,
            min_step=solver.min_step,
            order=solver.order if chosen_order and solver.order is not None else 4,
            backward=BackwardSpec(
                method=adjoint.solver,
                rtol=adjoint.rtol,
                atol=adjoint.atol,
                step_size=adjoint.step_size,
            ),
            backend=config.backend.name,
            compile="step" if config.compile.mode == "step" else "off",
        )

    def evaluated_as(self, config: RunConfig) -> SolveSpec:
        """The same solve as the ``evaluation`` group wants it; gradients are not computed there.

        Graphs of its own would not repay their compilation, so that steps run as they are.
        """
        evaluation = config.evaluation
        name = evaluation.solver or self.method
        kind = METHODS[name].kind
        rtol, atol = evaluation.tolerances(Tolerances(self.rtol, self.atol))
        own_steps = evaluation.step_size is not None or evaluation.num_steps is not None
        return replace(
            self,
            method=name,
            rtol=rtol,
            atol=atol,
            step_size=evaluation.step_size if own_steps else self.step_size,
            num_steps=evaluation.num_steps if own_steps else self.num_steps,
            max_steps=(self.max_steps or _MAX_STEPS) if kind == "adaptive" else None,
            min_step=self.min_step if kind == "adaptive" else None,
            compile="off",
        )

    def at_tolerance(self, tolerance: float) -> SolveSpec:
        """The same solve with one tolerance, relative and absolute, forwards and backwards."""
        backward = replace(self.backward, rtol=None, atol=None)
        return replace(self, rtol=tolerance, atol=tolerance, backward=backward)

    def in_units_of(self, time: float) -> SolveSpec:
        """The same solve where ``time`` is the unit of ``t``."""
        return replace(self, time_unit=self.time_unit * time)

    @property
    def shortest_step(self) -> float | None:
        """``min_step``, in units of ``t``."""
        return None if self.min_step is None else self.min_step / self.time_unit

    def adjoint_spec(self) -> SolveSpec:
        """The spec by which the continuous adjoint is solved."""
        backward = self.backward
        changed = {
            name: value
            for name in ("method", "rtol", "atol", "step_size")
            if (value := getattr(backward, name)) is not None
        }
        if backward.step_size is not None:
            changed["num_steps"] = None
        spec = replace(self, **changed)
        return spec if spec.kind == "adaptive" else replace(spec, max_steps=None, min_step=None)

    @property
    def sparing_modes(self) -> list[AdjointMode]:
        """The adjoint modes that keep less than its own and go with its solver."""
        modes: list[AdjointMode] = []
        if self.adjoint == "direct" and self.backend == "native" and METHODS[self.method].one_step:
            modes.append("checkpointed")
        backward = METHODS[self.adjoint_spec().method]
        if self.adjoint in ("direct", "checkpointed") and backward.takes(None):
            modes.append("full")
        return modes

    def length_of_steps(self, span: float) -> float:
        """The longest step of a fixed-step solver over an interval of length ``span``.

        Raises:
            SolverError: the spec does not say.
        """
        if self.num_steps is not None:
            return span / self.num_steps
        if self.step_size is None:
            raise SolverError(
                f"{self.method} takes fixed steps: give solver.step_size or solver.num_steps."
            )
        return self.step_size / self.time_unit


def _refuse_unknown(name: str, given: str, known: Iterable[str]) -> None:
    known = sorted(known)
    if given not in known:
        raise ValueError(no_such(name, name, given, known))
