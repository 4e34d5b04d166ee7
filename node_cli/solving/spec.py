"""How an initial value problem is to be solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from node_cli.config.solving import AdjointConfig, SolverConfig, ToleranceConfig

AdjointMode = Literal["direct", "full", "seminorm"]
SolverKind = Literal["adaptive", "fixed", "scipy"]


@dataclass(frozen=True)
class SolveSpec:
    """A solver, the errors it may make and the way to its gradients.

    Attributes:
        method: the solver's name, such as ``dopri5``, ``rk4`` or ``scipy-LSODA``.
        kind: ``adaptive`` (steps follow the error), ``fixed`` (steps are given) or ``scipy``.
        rtol: relative error allowed in one step; used by adaptive and SciPy solvers.
        atol: absolute error allowed in one step, in the units of the state.
        adjoint: ``direct`` backpropagates through the solver's operations; ``full`` solves the
            continuous adjoint (Chen et al. 2018); ``seminorm`` does so without the parameters'
            part in the error norm (Kidger et al. 2021).
        step_size: longest step of a fixed-step solver, in units of ``t``.
        num_steps: number of equal steps over the whole interval; replaces ``step_size``.
        max_steps: steps that an adaptive solver may take between two output times.
        max_order: highest order of an Adams method. torchdiffeq's own default of 12 is unstable:
            its ``explicit_adams`` then diverges on a damped oscillation with 50 steps a period.
    """

    method: str = "dopri5"
    kind: SolverKind = "adaptive"
    rtol: float = 1e-3
    atol: float = 1e-4
    adjoint: AdjointMode = "direct"
    step_size: float | None = None
    num_steps: int | None = None
    max_steps: int | None = None
    max_order: int = 4

    @classmethod
    def from_config(
        cls, solver: SolverConfig, tolerance: ToleranceConfig, adjoint: AdjointConfig
    ) -> SolveSpec:
        """The spec that the groups ``solver``, ``tolerance`` and ``adjoint`` ask for."""
        return cls(
            method=solver.name,
            kind=solver.kind,
            rtol=tolerance.rtol,
            atol=tolerance.atol,
            adjoint=adjoint.mode,
            step_size=solver.step_size,
            num_steps=solver.num_steps,
            max_steps=solver.max_steps,
            max_order=solver.order if solver.family == "multistep" and solver.order else 4,
        )
