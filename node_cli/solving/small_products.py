"""Products with a side of a few numbers as sums, which become loops of the code around them.

A field of points in the plane multiplies ``[N, 2]`` by ``[2, M]``. A call of a library for that
takes as long as ten such loops, and cuts the code of a step into pieces. The loops run along the
long side, which therefore comes last.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

# A side of so many numbers is short, and one of so many is worth a loop of its own.
FEW, MANY = 4, 16


def product(a: Tensor, b: Tensor) -> Tensor | None:
    """``a @ b`` of ``[N, K]`` and ``[K, M]``; None: a library does it better."""
    (n, k), m = a.shape, b.shape[1]
    if not all(isinstance(size, int) for size in (n, k, m)) or not _are_plain(a, b):
        return None
    if not _has_short_side(n, k, m):
        return None
    if k == max(n, k, m):
        return _over_the_long_side(a, b)
    if m > n:
        turned = product(b.t(), a.t())
        return None if turned is None else turned.t()
    rows, columns = a.t(), b.t()
    if k <= FEW:
        rows = stored(rows)
        total = columns[:, :1] * rows[0]
        for i in range(1, k):
            total = total + columns[:, i : i + 1] * rows[i]
        return total.t()
    return torch.stack([(b[:, j : j + 1] * rows).sum(dim=0) for j in range(m)]).t()


def are_short(weights: Iterable[Tensor], rows: int) -> bool:
    """Whether all that layers of these weights do with so many rows is sums, as are gradients."""
    return all(
        weight.dim() < 2 or (weight.dim() == 2 and _is_short(rows, *weight.shape))
        for weight in weights
    )


def _is_short(n: int, k: int, m: int) -> bool:
    """Whether products of ``[n, k]`` and ``[k, m]`` are, and those of its gradients."""
    return all(_has_short_side(*sides) for sides in ((n, k, m), (n, m, k), (k, n, m)))


def _has_short_side(n: int, k: int, m: int) -> bool:
    """Whether a product of ``[n, k]`` and ``[k, m]`` is sums, along a side that is worth it."""
    return max(n, k, m) >= MANY and min(n, k, m) >= 1 and (k <= FEW or min(n, m) <= FEW)


def stored(x: Tensor) -> Tensor:
    """The same; in a graph it is stored, or it would be computed again wherever it is used."""
    kept: Tensor = torch.ops.prims.inductor_force_stride_order(x, x.stride())
    return kept


def _over_the_long_side(a: Tensor, b: Tensor) -> Tensor:
    """The gradient of a weight is such a product: a sum over the batch."""
    if b.shape[1] <= FEW:
        columns = b.t()
        return torch.stack([(a * column).sum(dim=1) for column in columns.unbind()], dim=1)
    columns = b.t()
    return torch.stack([(columns * row).sum(dim=1) for row in a.unbind()])


def _are_plain(a: Tensor, b: Tensor) -> bool:
    """On a CPU, in a precision in which a sum of products loses no more than a product."""
    exact = (torch.float32, torch.float64)
    return a.device.type == "cpu" and a.dtype == b.dtype and a.dtype in exact
