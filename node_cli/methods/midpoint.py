"""The explicit midpoint rule."""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau

METHOD = runge_kutta(
    "midpoint",
    Tableau(order=2, nodes=(1 / 2,), stages=((1 / 2,),), weights=(0.0, 1.0)),
)
