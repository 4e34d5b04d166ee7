"""How an SDE is to be solved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from node_cli.errors import SolverError
from node_cli.methods import SDE_METHODS, Noise, SdeMethod
from node_cli.schema.adjoint import AdjointMode
from node_cli.schema.spelling import no_such

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig

SdeAdjoint = Literal["direct", "full"]
# Of adaptive steps, where no limit is given.
_MAX_STEPS = 10_000


@dataclass(frozen=True)
class SdeSpec:
    """A solver of SDEs, its steps and the way to its gradients.

    Attributes:
        method: the solver's name, such as ``ito-milstein``.
        step_size: longest step, in units of ``t``; the first one where steps are adaptive.
        num_steps: the longest step is the whole interval divided by it; replaces ``step_size``.
            Every output time is met, so that between two of them there is at least one step.
        adaptive: steps follow the difference of one step and two halves of it.
        rtol: relative error allowed in one adaptive step.
        atol: absolute error allowed in one adaptive step, in the units of the state.
        adjoint: ``direct`` backpropagates through the solver's operations; ``full`` solves the
            stochastic adjoint backwards on the same Brownian path (Li et al. 2020), which
            reversible_heun does exactly (Kidger et al. 2021).
        backward_method: the solver of the adjoint; None: that which its method names.
        backward_rtol: relative error allowed in one of its adaptive steps; None: as forward.
        backward_atol: absolute error likewise.
        max_steps: attempts that adaptive steps may take, forward and backward each; None: 10000.
        max_nfe: evaluations of drift and diffusion together, forward and backward each.
        max_saved_bytes: what one solve may keep for the backward pass, counted exactly; None: a
            share of the memory that is free.
        min_step: a solve that needs a smaller step ends with an error, in units of ``t``.

    Raises:
        ValueError: there is no such solver or adjoint mode.
    """

    method: str = "ito-euler"
    step_size: float | None = None
    num_steps: int | None = None
    adaptive: bool = False
    rtol: float = 1e-3
    atol: float = 1e-4
    adjoint: SdeAdjoint = "direct"
    backward_method: str | None = None
    backward_rtol: float | None = None
    backward_atol: float | None = None
    max_steps: int | None = None
    max_nfe: int | None = None
    max_saved_bytes: int | None = None
    min_step: float | None = None

    def __post_init__(self) -> None:
        for name, given in (("method", self.method), ("backward_method", self.backward_method)):
            if given is not None and given not in SDE_METHODS:
                raise ValueError(no_such(name, name, given, sorted(SDE_METHODS)))
        if self.adjoint not in ("direct", "full"):
            raise ValueError(no_such("adjoint", "adjoint", self.adjoint, ["direct", "full"]))

    def in_units_of(self, time: float) -> SdeSpec:
        """The same solve where ``time`` is the unit of ``t``."""

        def scaled(length: float | None) -> float | None:
            return None if length is None else length / time

        return replace(self, step_size=scaled(self.step_size), min_step=scaled(self.min_step))

    @classmethod
    def from_config(cls, config: RunConfig) -> SdeSpec:
        """The spec that the solver groups of a run ask for."""
        solver, adjoint, tolerance = config.solver, config.adjoint, config.tolerance
        return cls(
            method=solver.name,
            step_size=solver.step_size,
            num_steps=solver.num_steps,
            adaptive=solver.kind == "adaptive",
            rtol=tolerance.rtol,
            atol=tolerance.atol,
            adjoint="full" if adjoint.mode == "full" else "direct",
            backward_method=adjoint.solver,
            backward_rtol=adjoint.rtol,
            backward_atol=adjoint.atol,
            max_steps=solver.max_steps,
            max_nfe=solver.max_nfe,
            max_saved_bytes=solver.max_saved_bytes,
            min_step=solver.min_step,
        )

    @property
    def declared(self) -> SdeMethod:
        """What the solver declares of itself."""
        return SDE_METHODS[self.method]

    @property
    def most_steps(self) -> int | None:
        """The limit of attempts; None: steps are given."""
        return (self.max_steps or _MAX_STEPS) if self.adaptive else None

    @property
    def sparing_modes(self) -> list[AdjointMode]:
        """The adjoint modes that keep less."""
        return ["full"] if self.adjoint == "direct" else []

    def backward_scheme(self, noise: Noise) -> str:
        """Torchsde's name of the solver of the adjoint of an SDE with such noise."""
        declared = self.declared
        if not declared.backward:
            return f"adjoint_{declared.scheme}"
        return SDE_METHODS[self.backward_method or declared.backward[noise]].scheme

    def length_of_steps(self, span: float) -> float:
        """The longest step over an interval of length ``span``.

        Raises:
            SolverError: the spec does not say.
        """
        if self.num_steps is not None:
            return span / self.num_steps
        if self.step_size is None:
            raise SolverError(f"{self.method} needs a step: give step_size or num_steps.")
        return self.step_size
