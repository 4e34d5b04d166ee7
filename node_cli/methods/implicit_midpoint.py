"""The implicit midpoint rule: Gauss's method of one stage, of order 2.

It is symplectic, and the same backwards in time: E. Hairer, C. Lubich and G. Wanner, Geometric
Numerical Integration, 2006, sections II.1.3 and VI.4.
"""

from node_cli.methods.method import Method

METHOD = Method(
    "implicit_midpoint",
    "fixed",
    "implicit-runge-kutta",
    2,
    "node_cli.solving.implicit_midpoint:ImplicitMidpoint",
    needs="hamiltonian",
    in_torchdiffeq=False,
)
