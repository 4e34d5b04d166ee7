"""J. R. Dormand and P. J. Prince, A family of embedded Runge-Kutta formulae, 1980.

J. Comput. Appl. Math. 6(1), with the embedded weights and the middle of L. F. Shampine, Some
practical Runge-Kutta formulas, Math. Comp. 46, 1986, as torchdiffeq has them.
"""

from node_cli.methods.method import runge_kutta
from node_cli.methods.tableau import Tableau, embedded_error

_WEIGHTS = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0)

METHOD = runge_kutta(
    "dopri5",
    Tableau(
        order=5,
        nodes=(1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
        stages=(
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
            _WEIGHTS[:-1],
        ),
        weights=_WEIGHTS,
        error=embedded_error(
            _WEIGHTS,
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
    ),
)
