"""The methods of ``scipy.integrate.solve_ivp``."""

from node_cli.methods.method import Method

METHODS = (
    Method("scipy-RK45", "scipy", "runge-kutta", 5, None),
    Method("scipy-RK23", "scipy", "runge-kutta", 3, None),
    Method("scipy-DOP853", "scipy", "runge-kutta", 8, None),
    Method("scipy-LSODA", "scipy", "multistep", None, None),
    Method("scipy-BDF", "scipy", "multistep", None, None),
    Method("scipy-Radau", "scipy", "implicit-runge-kutta", 5, None),
)
