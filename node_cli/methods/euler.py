"""Euler, 1768."""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau

METHOD = runge_kutta(
    "euler",
    Tableau(order=1, nodes=(), stages=(), weights=(1.0,)),
)
