"""E. Fehlberg, Low-order classical Runge-Kutta formulas with stepsize control, 1969.

NASA TR R-315.
"""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau

METHOD = runge_kutta(
    "fehlberg2",
    Tableau(
        order=2,
        nodes=(1 / 2, 1.0),
        stages=((1 / 2,), (1 / 256, 255 / 256)),
        weights=(1 / 512, 255 / 256, 1 / 512),
        error=(-1 / 512, 0.0, 1 / 512),
        dense="cubic",
    ),
)
