"""How far apart two sets of paths are."""

from __future__ import annotations

import torch
from torch import Tensor

_DEPTH = 5  # of signatures, as in Kidger et al. 2021


def distances(paths: Tensor, data: Tensor) -> dict[str, float]:
    """All of them; each is 0 for the same set, and what two sets of data have is the least.

    Args:
        paths: ``[N, T]``.
        data: ``[M, T]``; it gives the units.

    Returns:
        - ``signature_distance``: the maximum mean discrepancy of Kidger et al. 2021, by the
          signatures of the paths: see ``signatures``. Root mean square over the terms, each in
          units of its deviation in the data.
        - ``marginal_distance``: the Wasserstein distance of the values at a time, mean over the
          times, in units of their deviation.
        - ``mean_error``: the means at a time, likewise.
        - ``deviation_error``: the deviations at a time, likewise.
        - ``correlation_error``: the correlations of the values at two times, mean absolute
          difference over all pairs.
        - ``increment_error``: the deviation of the differences from one point to the next, as a
          share of that of the data.
    """
    paths, data = paths.double(), data.double()
    deviation = data.std(dim=0)
    levels = torch.linspace(0, 1, 201, dtype=torch.float64, device=data.device)[1::2]
    apart = torch.quantile(paths, levels, dim=0) - torch.quantile(data, levels, dim=0)
    steps, steps_of_data = paths.diff(dim=1).std(), data.diff(dim=1).std()
    return {
        "signature_distance": _signature_distance(paths, data),
        "marginal_distance": float((apart.abs().mean(dim=0) / deviation).mean()),
        "mean_error": float(((paths.mean(dim=0) - data.mean(dim=0)).abs() / deviation).mean()),
        "deviation_error": float((paths.std(dim=0) / deviation - 1).abs().mean()),
        "correlation_error": float((paths.T.corrcoef() - data.T.corrcoef()).abs().mean()),
        "increment_error": float((steps / steps_of_data - 1).abs()),
    }


def signatures(paths: Tensor, depth: int = _DEPTH) -> Tensor:
    r"""The terms of level 1 to ``depth`` of the signatures of the paths with their times.

    A path begins at 0, goes to its first value at time 0, and is linear between its points, whose
    times go from 0 to 1. The signature of a straight piece d is :math:`d^{\otimes k} / k!` at level
    k, and that of two pieces is the product of theirs (Chen 1958).

    Args:
        paths: ``[N, T]``.
        depth: at least 1.

    Returns:
        ``[N, 2 + 4 + ... + 2^depth]``.
    """
    times = torch.linspace(0, 1, paths.shape[1], dtype=paths.dtype, device=paths.device)
    points = torch.stack((times.expand_as(paths), paths), dim=-1)
    pieces = torch.cat((torch.zeros_like(points[:, :1]), points), dim=1).diff(dim=1)
    levels = _of_a_piece(pieces[:, 0], depth)
    for piece in pieces.unbind(dim=1)[1:]:
        straight = _of_a_piece(piece, depth)
        levels = [
            sum(
                (_product(levels[i], straight[k - i]) for i in range(k)),
                start=_product(levels[k], straight[0]),
            )
            for k in range(depth + 1)
        ]
    return torch.cat(levels[1:], dim=1)


def _signature_distance(paths: Tensor, data: Tensor) -> float:
    unit = data.std()
    found, wanted = signatures(paths / unit), signatures(data / unit)
    spread = wanted.std(dim=0)
    varies = spread > 0  # the terms of time alone are the same of all paths
    apart = (found.mean(dim=0) - wanted.mean(dim=0))[varies] / spread[varies]
    return float(apart.square().mean().sqrt())


def _of_a_piece(piece: Tensor, depth: int) -> list[Tensor]:
    levels = [torch.ones_like(piece[:, :1])]
    for k in range(1, depth + 1):
        levels.append(_product(levels[-1], piece) / k)
    return levels


def _product(left: Tensor, right: Tensor) -> Tensor:
    """The tensor product, flat."""
    return (left.unsqueeze(-1) * right.unsqueeze(-2)).flatten(1)
