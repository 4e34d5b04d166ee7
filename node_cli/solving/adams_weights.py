r"""The weights of Adams methods: the field at past times, interpolated and integrated.

:math:`y(t_1) = y_0 + \int_{t_0}^{t_1} P(s)\, ds`, where the polynomial P has the field's values at
past times. Over the past alone the method is explicit (Adams and Bashforth 1883); with the new time
among the nodes it is implicit (Moulton 1926), and solved once by predicting, evaluating and
correcting. The weights are computed for the nodes as they lie, so steps may differ in length.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Past(NamedTuple):
    """The field at past times, the newest first."""

    times: tuple[float, ...] = ()
    slopes: tuple[Tensor, ...] = ()

    def with_slope(self, t: float, f: Tensor, most: int) -> Past:
        """One more, of which the newest ``most`` are kept."""
        return Past((t, *self.times)[:most], (f, *self.slopes)[:most])


def integration_weights(nodes: Sequence[float], start: float, stop: float) -> list[float]:
    r"""Weights :math:`w` with :math:`\int_{start}^{stop} P = \sum_j w_j P(nodes_j)`.

    Exact for polynomials of degree below ``len(nodes)``: Lagrange's polynomials are integrated by
    a Gauss-Legendre rule that is exact for them.

    Args:
        nodes: distinct times.
        start: where the integral begins.
        stop: where it ends; before ``start`` where time runs backwards.
    """
    roots, gauss = _gauss_legendre((len(nodes) + 1) // 2)
    half = (stop - start) / 2
    points = start + half * (roots + 1)
    at = np.asarray(nodes, np.float64)
    distances = at[:, None] - at[None, :]
    np.fill_diagonal(distances, 1.0)
    factors = (points[:, None, None] - at[None, None, :]) / distances[None]
    diagonal = np.arange(len(at))
    factors[:, diagonal, diagonal] = 1.0
    weights: list[float] = (half * gauss @ factors.prod(axis=2)).tolist()
    return weights


@lru_cache
def _gauss_legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    roots, weights = np.polynomial.legendre.leggauss(count)
    return roots, weights


def implicit_weights(past: Past, t: float, t1: float, count: int) -> list[float]:
    """The corrector's weights over the new time and ``count`` past ones: of order count + 1."""
    return integration_weights([t1, *past.times[:count]], t, t1)
