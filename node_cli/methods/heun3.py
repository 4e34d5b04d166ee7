"""Heun's method of order 3 (K. Heun, Zeitschrift für Mathematik und Physik 45, 1900)."""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau

METHOD = runge_kutta(
    "heun3",
    Tableau(
        order=3, nodes=(1 / 3, 2 / 3), stages=((1 / 3,), (0.0, 2 / 3)), weights=(1 / 4, 0.0, 3 / 4)
    ),
)
