"""Heun's method of order 2, with Euler's as the embedded one."""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau

METHOD = runge_kutta(
    "adaptive_heun",
    Tableau(
        order=2,
        nodes=(1.0,),
        stages=((1.0,),),
        weights=(1 / 2, 1 / 2),
        error=(-1 / 2, 1 / 2),
        dense="cubic",
    ),
)
