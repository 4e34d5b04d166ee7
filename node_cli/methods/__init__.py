"""The solvers that there are: one file a method, which says what it is; torch is not needed."""

from node_cli.methods import (
    adams,
    adaptive_heun,
    bosh3,
    dopri5,
    dopri8,
    euler,
    explicit_adams,
    fehlberg2,
    heun2,
    heun3,
    implicit_adams,
    implicit_midpoint,
    ito,
    leapfrog,
    midpoint,
    rk4,
    scipy,
    stratonovich,
    yoshida4,
)
from node_cli.methods.method import Method, SolverFamily, SolverKind, Structure
from node_cli.methods.sde_method import Calculus, Noise, SdeMethod, Stochastic

# Those of ODEs.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        dopri5.METHOD,
        dopri8.METHOD,
        bosh3.METHOD,
        fehlberg2.METHOD,
        adaptive_heun.METHOD,
        adams.METHOD,
        euler.METHOD,
        midpoint.METHOD,
        heun2.METHOD,
        heun3.METHOD,
        rk4.METHOD,
        explicit_adams.METHOD,
        implicit_adams.METHOD,
        leapfrog.METHOD,
        yoshida4.METHOD,
        implicit_midpoint.METHOD,
        *scipy.METHODS,
    )
}

SDE_METHODS: dict[str, SdeMethod] = {
    method.name: method for method in (*ito.METHODS, *stratonovich.METHODS)
}
# All members of the group ``solver``.
SOLVERS: dict[str, Method | SdeMethod] = {**METHODS, **SDE_METHODS}

__all__ = [
    "METHODS",
    "SDE_METHODS",
    "SOLVERS",
    "Calculus",
    "Method",
    "Noise",
    "SdeMethod",
    "SolverFamily",
    "SolverKind",
    "Stochastic",
    "Structure",
]
