"""Solvers of SDEs in the sense of Stratonovich, as torchsde has them.

K. Burrage, P. M. Burrage and T. Tian, Proc. R. Soc. Lond. A 460, 2004; the reversible Heun method
of P. Kidger, J. Foster, X. Li and T. Lyons, Efficient and accurate gradients for neural SDEs, 2021.
"""

from node_cli.methods.method import SolverFamily
from node_cli.methods.sde_method import Noise, SdeMethod

_ALL: tuple[Noise, ...] = ("diagonal", "additive", "scalar", "general")
# Where the channels of the noise commute, a step needs no area between them.
_ORDERS: dict[Noise, float] = {"diagonal": 1.0, "additive": 1.0, "scalar": 1.0, "general": 0.5}
_BACKWARD: dict[Noise, str] = dict.fromkeys(_ALL, "stratonovich-midpoint")


def _runge_kutta(scheme: str) -> SdeMethod:
    family: SolverFamily = "stochastic-runge-kutta"
    name = f"stratonovich-{scheme}"
    return SdeMethod(name, "stratonovich", scheme, family, _ORDERS, 1.0, False, _BACKWARD, _ALL)


METHODS = (
    _runge_kutta("euler_heun"),
    _runge_kutta("heun"),
    _runge_kutta("midpoint"),
    SdeMethod(
        "stratonovich-milstein",
        "stratonovich",
        "milstein",
        "stochastic-taylor",
        strong_orders={"diagonal": 1.0, "additive": 1.0, "scalar": 1.0},
        weak_order=1.0,
        levy_areas=False,
        backward=_BACKWARD,
        solves_backward=("diagonal",),
    ),
    SdeMethod(
        "stratonovich-reversible_heun",
        "stratonovich",
        "reversible_heun",
        "stochastic-runge-kutta",
        strong_orders={"diagonal": 0.5, "additive": 1.0, "scalar": 0.5, "general": 0.5},
        weak_order=1.0,
        levy_areas=False,
        backward={},
        solves_backward=(),
    ),
)
