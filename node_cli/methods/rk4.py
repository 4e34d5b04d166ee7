"""Kutta's 3/8 rule (W. Kutta, 1901), which is what torchdiffeq calls rk4."""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau

METHOD = runge_kutta(
    "rk4",
    Tableau(
        order=4,
        nodes=(1 / 3, 2 / 3, 1.0),
        stages=((1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0)),
        weights=(1 / 8, 3 / 8, 3 / 8, 1 / 8),
    ),
)
