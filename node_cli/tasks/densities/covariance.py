"""Covariance matrices as YAML has them, without NumPy, which takes long to import."""

from __future__ import annotations

import math
from collections.abc import Sequence


def is_covariance(rows: Sequence[Sequence[float]]) -> bool:
    """Whether a matrix is square, symmetric and positive definite, by its Cholesky factor."""
    size = len(rows)
    if size == 0 or any(len(row) != size for row in rows):
        return False
    if any(rows[i][j] != rows[j][i] for i in range(size) for j in range(i)):
        return False
    factor = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = rows[i][j] - sum(factor[i][k] * factor[j][k] for k in range(j))
            if i == j:
                if not rest > 0:
                    return False
                factor[i][i] = math.sqrt(rest)
            else:
                factor[i][j] = rest / factor[j][j]
    return True
