"""What a solver declares of itself, before torch is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from node_cli.methods.tableau import Tableau

SolverKind = Literal["adaptive", "fixed", "scipy"]
SolverFamily = Literal["runge-kutta", "implicit-runge-kutta", "multistep"]


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
    """

    name: str
    kind: SolverKind
    family: SolverFamily
    order: int | None
    stepper: str | None
    tableau: Tableau | None = None
    orders: range = range(0)

    @property
    def one_step(self) -> bool:
        """Whether a step needs nothing of those before it, so that it can be replayed alone."""
        return self.tableau is not None


def runge_kutta(name: str, tableau: Tableau) -> Method:
    """An explicit Runge-Kutta method: adaptive where it estimates its error."""
    kind: SolverKind = "fixed" if tableau.error is None else "adaptive"
    stepper = "node_cli.solving.runge_kutta:RungeKutta"
    return Method(name, kind, "runge-kutta", tableau.order, stepper, tableau)
