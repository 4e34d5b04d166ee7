r"""Butcher tableaus of explicit Runge-Kutta methods.

With stages :math:`k_1 = f(t, y)` and :math:`k_i = f(t + c_i h,\ y + h \sum_{j<i} a_{ij} k_j)`, a
step is :math:`y_1 = y + h \sum_j b_j k_j`, and :math:`h \sum_j e_j k_j` estimates its error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Row = tuple[float, ...]


@dataclass(frozen=True)
class Tableau:
    """The coefficients of a method.

    Attributes:
        order: of the solution that is propagated.
        nodes: ``c_2, c_3, ...``
        stages: the rows ``a_2, a_3, ...``; row ``i`` has ``i - 1`` entries.
        weights: ``b``.
        error: ``e``, the weights minus those of the embedded solution; None for a method that
            takes fixed steps only.
        middle: weights of a solution at ``t + h / 2``, for dense output.
        dense: how values inside a step are found: by a ``quartic`` through the middle, by the
            ``cubic`` of Hermite, or not at all (``None``): then every output time ends a step.
    """

    order: int
    nodes: Row
    stages: tuple[Row, ...]
    weights: Row
    error: Row | None = None
    middle: Row | None = None
    dense: Literal["quartic", "cubic"] | None = None

    @property
    def first_same_as_last(self) -> bool:
        """Whether the last stage is the first one of the next step, as its row is ``b``."""
        return bool(self.nodes) and self.nodes[-1] == 1.0 and self.stages[-1] == self.weights[:-1]


def _difference(weights: Row, embedded: Row) -> Row:
    return tuple(b - e for b, e in zip(weights, embedded, strict=True))


_EULER = Tableau(order=1, nodes=(), stages=(), weights=(1.0,))

_MIDPOINT = Tableau(order=2, nodes=(1 / 2,), stages=((1 / 2,),), weights=(0.0, 1.0))

_HEUN2 = Tableau(order=2, nodes=(1.0,), stages=((1.0,),), weights=(1 / 2, 1 / 2))

_HEUN3 = Tableau(
    order=3, nodes=(1 / 3, 2 / 3), stages=((1 / 3,), (0.0, 2 / 3)), weights=(1 / 4, 0.0, 3 / 4)
)

# Kutta's 3/8 rule, which is what torchdiffeq calls rk4.
_RK4 = Tableau(
    order=4,
    nodes=(1 / 3, 2 / 3, 1.0),
    stages=((1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0)),
    weights=(1 / 8, 3 / 8, 3 / 8, 1 / 8),
)

# Heun's method, with Euler's as the embedded one.
_ADAPTIVE_HEUN = Tableau(
    order=2,
    nodes=(1.0,),
    stages=((1.0,),),
    weights=(1 / 2, 1 / 2),
    error=(-1 / 2, 1 / 2),
    dense="cubic",
)

# E. Fehlberg, Low-order classical Runge-Kutta formulas with stepsize control, NASA TR R-315, 1969.
_FEHLBERG2 = Tableau(
    order=2,
    nodes=(1 / 2, 1.0),
    stages=((1 / 2,), (1 / 256, 255 / 256)),
    weights=(1 / 512, 255 / 256, 1 / 512),
    error=(-1 / 512, 0.0, 1 / 512),
    dense="cubic",
)

# P. Bogacki and L. F. Shampine, A 3(2) pair of Runge-Kutta formulas, Appl. Math. Lett. 2(4), 1989.
_BOSH3_WEIGHTS = (2 / 9, 1 / 3, 4 / 9, 0.0)
_BOSH3 = Tableau(
    order=3,
    nodes=(1 / 2, 3 / 4, 1.0),
    stages=((1 / 2,), (0.0, 3 / 4), (2 / 9, 1 / 3, 4 / 9)),
    weights=_BOSH3_WEIGHTS,
    error=_difference(_BOSH3_WEIGHTS, (7 / 24, 1 / 4, 1 / 3, 1 / 8)),
    dense="cubic",
)

# J. R. Dormand and P. J. Prince, A family of embedded Runge-Kutta formulae, J. Comput. Appl. Math.
# 6(1), 1980, with the embedded weights and the middle of L. F. Shampine, Some practical
# Runge-Kutta formulas, Math. Comp. 46, 1986, as torchdiffeq has them.
_DOPRI5_WEIGHTS = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0)
_DOPRI5 = Tableau(
    order=5,
    nodes=(1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    stages=(
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        _DOPRI5_WEIGHTS[:-1],
    ),
    weights=_DOPRI5_WEIGHTS,
    error=_difference(
        _DOPRI5_WEIGHTS,
        (1951 / 21600, 0.0, 22642 / 50085, 451 / 720, -12231 / 42400, 649 / 6300, 1 / 60),
    ),
    middle=(
        6025192743 / 30085553152 / 2,
        0.0,
        51252292925 / 65400821598 / 2,
        -2691868925 / 45128329728 / 2,
        187940372067 / 1594534317056 / 2,
        -1776094331 / 19743644256 / 2,
        11237099 / 235043384 / 2,
    ),
    dense="quartic",
)

# P. J. Prince and J. R. Dormand, High order embedded Runge-Kutta formulae, J. Comput. Appl. Math.
# 7(1), 1981: RK8(7)13M. No interpolant of order 8 is known for these stages.
_DOPRI8_WEIGHTS = (
    14005451 / 335480064,
    0.0,
    0.0,
    0.0,
    0.0,
    -59238493 / 1068277825,
    181606767 / 758867731,
    561292985 / 797845732,
    -1041891430 / 1371343529,
    760417239 / 1151165299,
    118820643 / 751138087,
    -528747749 / 2220607170,
    1 / 4,
)
_DOPRI8 = Tableau(
    order=8,
    nodes=(
        1 / 18,
        1 / 12,
        1 / 8,
        5 / 16,
        3 / 8,
        59 / 400,
        93 / 200,
        5490023248 / 9719169821,
        13 / 20,
        1201146811 / 1299019798,
        1.0,
        1.0,
    ),
    stages=(
        (1 / 18,),
        (1 / 48, 1 / 16),
        (1 / 32, 0.0, 3 / 32),
        (5 / 16, 0.0, -75 / 64, 75 / 64),
        (3 / 80, 0.0, 0.0, 3 / 16, 3 / 20),
        (
            29443841 / 614563906,
            0.0,
            0.0,
            77736538 / 692538347,
            -28693883 / 1125000000,
            23124283 / 1800000000,
        ),
        (
            16016141 / 946692911,
            0.0,
            0.0,
            61564180 / 158732637,
            22789713 / 633445777,
            545815736 / 2771057229,
            -180193667 / 1043307555,
        ),
        (
            39632708 / 573591083,
            0.0,
            0.0,
            -433636366 / 683701615,
            -421739975 / 2616292301,
            100302831 / 723423059,
            790204164 / 839813087,
            800635310 / 3783071287,
        ),
        (
            246121993 / 1340847787,
            0.0,
            0.0,
            -37695042795 / 15268766246,
            -309121744 / 1061227803,
            -12992083 / 490766935,
            6005943493 / 2108947869,
            393006217 / 1396673457,
            123872331 / 1001029789,
        ),
        (
            -1028468189 / 846180014,
            0.0,
            0.0,
            8478235783 / 508512852,
            1311729495 / 1432422823,
            -10304129995 / 1701304382,
            -48777925059 / 3047939560,
            15336726248 / 1032824649,
            -45442868181 / 3398467696,
            3065993473 / 597172653,
        ),
        (
            185892177 / 718116043,
            0.0,
            0.0,
            -3185094517 / 667107341,
            -477755414 / 1098053517,
            -703635378 / 230739211,
            5731566787 / 1027545527,
            5232866602 / 850066563,
            -4093664535 / 808688257,
            3962137247 / 1805957418,
            65686358 / 487910083,
        ),
        (
            403863854 / 491063109,
            0.0,
            0.0,
            -5068492393 / 434740067,
            -411421997 / 543043805,
            652783627 / 914296604,
            11173962825 / 925320556,
            -13158990841 / 6184727034,
            3936647629 / 1978049680,
            -160528059 / 685178525,
            248638103 / 1413531060,
            0.0,
        ),
    ),
    weights=_DOPRI8_WEIGHTS,
    error=_difference(
        _DOPRI8_WEIGHTS,
        (
            13451932 / 455176623,
            0.0,
            0.0,
            0.0,
            0.0,
            -808719846 / 976000145,
            1757004468 / 5645159321,
            656045339 / 265891186,
            -3867574721 / 1518517206,
            465885868 / 322736535,
            53011238 / 667516719,
            2 / 45,
            0.0,
        ),
    ),
)

TABLEAUS = {
    "euler": _EULER,
    "midpoint": _MIDPOINT,
    "heun2": _HEUN2,
    "heun3": _HEUN3,
    "rk4": _RK4,
    "adaptive_heun": _ADAPTIVE_HEUN,
    "fehlberg2": _FEHLBERG2,
    "bosh3": _BOSH3,
    "dopri5": _DOPRI5,
    "dopri8": _DOPRI8,
}
