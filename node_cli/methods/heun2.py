"""Heun's method of order 2, the explicit trapezoidal rule."""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau

METHOD = runge_kutta(
    "heun2",
    Tableau(order=2, nodes=(1.0,), stages=((1.0,),), weights=(1 / 2, 1 / 2)),
)
