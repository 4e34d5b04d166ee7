"""P. Bogacki and L. F. Shampine, A 3(2) pair of Runge-Kutta formulas, 1989.

Appl. Math. Lett. 2(4).
"""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau, embedded_error

_WEIGHTS = (2 / 9, 1 / 3, 4 / 9, 0.0)

METHOD = runge_kutta(
    "bosh3",
    Tableau(
        order=3,
        nodes=(1 / 2, 3 / 4, 1.0),
        stages=((1 / 2,), (0.0, 3 / 4), (2 / 9, 1 / 3, 4 / 9)),
        weights=_WEIGHTS,
        error=embedded_error(_WEIGHTS, (7 / 24, 1 / 4, 1 / 3, 1 / 8)),
        dense="cubic",
    ),
)
