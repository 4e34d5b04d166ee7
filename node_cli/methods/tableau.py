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


def embedded_error(weights: Row, embedded: Row) -> Row:
    """The error weights of a solution with an embedded one."""
    return tuple(b - e for b, e in zip(weights, embedded, strict=True))
