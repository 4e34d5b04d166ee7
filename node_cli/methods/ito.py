"""Solvers of SDEs in the sense of Itô, as torchsde has them.

P. E. Kloeden and E. Platen, Numerical Solution of Stochastic Differential Equations, 1992; the
stochastic Runge-Kutta method of A. Rößler, SIAM J. Numer. Anal. 48(3), 2010.
"""

from node_cli.methods.sde_method import Noise, SdeMethod

_BACKWARD: dict[Noise, str] = {
    "diagonal": "ito-milstein",
    "additive": "ito-euler",
    "scalar": "ito-euler",
    "general": "ito-euler",
}

METHODS = (
    SdeMethod(
        "ito-euler",
        "ito",
        "euler",
        "stochastic-taylor",
        strong_orders={"diagonal": 0.5, "additive": 1.0, "scalar": 0.5, "general": 0.5},
        weak_order=1.0,
        levy_areas=False,
        backward=_BACKWARD,
        solves_backward=("diagonal", "additive", "scalar", "general"),
    ),
    SdeMethod(
        "ito-milstein",
        "ito",
        "milstein",
        "stochastic-taylor",
        strong_orders={"diagonal": 1.0, "additive": 1.0, "scalar": 1.0},
        weak_order=1.0,
        levy_areas=False,
        backward=_BACKWARD,
        solves_backward=("diagonal",),
    ),
    SdeMethod(
        "ito-srk",
        "ito",
        "srk",
        "stochastic-runge-kutta",
        strong_orders={"diagonal": 1.5, "additive": 1.5, "scalar": 1.5},
        weak_order=1.5,
        levy_areas=True,
        backward=_BACKWARD,
        solves_backward=(),
    ),
)
