"""What a solver declares of itself, before torch is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from node_cli.methods.tableau import Tableau

SolverKind = Literal["adaptive", "fixed", "scipy"]
SolverFamily = Literal[
    "runge-kutta",
    "implicit-runge-kutta",
    "multistep",
    "splitting",
    "stochastic-taylor",
    "stochastic-runge-kutta",
]
# Of a system: that of a Hamiltonian H(t, q, p), or of a separable one, T(t, p) + V(t, q).
Structure = Literal["hamiltonian", "separable"]


@dataclass(frozen=True)
class Method:
    """A solver.

    Attributes:
        name: on the command line.
        kind: ``adaptive`` steps follow the error, ``fixed`` are given, ``scipy`` are SciPy's.
        family: of the method.
        order: of the solution that is propagated; None where it varies or can be chosen.
        stepper: the class that takes its steps, as ``module:Class``; it is made with the method and
            the order that is chosen. None: SciPy takes them.
        tableau: the coefficients of a Runge-Kutta method.
        orders: those that can be chosen; empty where none can.
        substeps: of a splitting method, the leapfrog steps that one step is made of, as parts of
            it; they are the same from behind, and their sum is 1.
        needs: the structure that a system must have; None: any system will do.
        in_torchdiffeq: whether torchdiffeq has it too.
    """

    name: str
    kind: SolverKind
    family: SolverFamily
    order: int | None
    stepper: str | None
    tableau: Tableau | None = None
    orders: range = range(0)
    substeps: tuple[float, ...] = ()
    needs: Structure | None = None
    in_torchdiffeq: bool = True

    @property
    def kinds(self) -> tuple[SolverKind, ...]:
        """Those that can be chosen: its own."""
        return (self.kind,)

    @property
    def one_step(self) -> bool:
        """Whether a step needs nothing of those before it, so that it can be replayed alone."""
        return self.stepper is not None and self.family != "multistep"

    def takes(self, structure: Structure | None) -> bool:
        """Whether it solves systems of a structure, None: of none; a separable one is Hamiltonian.

        The augmented system of the continuous adjoint is of none.
        """
        return self.needs is None or self.needs == structure or structure == "separable"


def runge_kutta(name: str, tableau: Tableau) -> Method:
    """An explicit Runge-Kutta method: adaptive where it estimates its error."""
    kind: SolverKind = "fixed" if tableau.error is None else "adaptive"
    stepper = "node_cli.solving.runge_kutta:RungeKutta"
    return Method(name, kind, "runge-kutta", tableau.order, stepper, tableau)


def splitting(name: str, order: int, substeps: tuple[float, ...]) -> Method:
    """A composition of leapfrog steps."""
    return Method(
        name,
        "fixed",
        "splitting",
        order,
        "node_cli.solving.leapfrog:Leapfrog",
        substeps=substeps,
        needs="separable",
        in_torchdiffeq=False,
    )
