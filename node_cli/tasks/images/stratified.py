"""Subsets that keep the share of each class and are spread over the file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def spread_over_classes(labels: Tensor, sizes: Sequence[int]) -> Tensor:
    """Choose ``sizes[k]`` members of each class k, evenly spaced over the class in file order.

    Of the n members of a class, m are chosen at the places floor((i + 1/2) n / m), i < m. No
    random generator takes part, so the choice is the same on every machine and for every seed.

    Args:
        labels: [N], integers; the classes are 0 .. len(sizes) - 1.
        sizes: how many of each class, at most as many as it has.

    Returns:
        int64 [sum(sizes)], the chosen places in ``labels``, ascending.
    """
    chosen = []
    for k, size in enumerate(sizes):
        members = (labels == k).nonzero().flatten()
        if not 0 <= size <= len(members):
            raise ValueError(f"{size} of the {len(members)} members of class {k}")
        places = (2 * torch.arange(size) + 1) * len(members) // (2 * max(size, 1))
        chosen.append(members[places])
    return torch.cat(chosen).sort().values


def proportional_sizes(counts: Sequence[int], total: int) -> list[int]:
    """Share ``total`` out in proportion to ``counts``, by largest remainder.

    Each size is its exact share rounded down or up; where remainders are equal, the earlier
    class is rounded up first.

    Args:
        counts: members of each class.
        total: to share out, from 0 to sum(counts).

    Returns:
        A size for each class, none above its count; their sum is ``total``.
    """
    everything = sum(counts)
    if not 0 <= total <= everything:
        raise ValueError(f"{total} of {everything}")
    if total == 0:
        return [0] * len(counts)
    shares = [divmod(count * total, everything) for count in counts]
    sizes = [whole for whole, _ in shares]
    by_remainder = sorted(range(len(counts)), key=lambda k: -shares[k][1])
    for k in by_remainder[: total - sum(sizes)]:
        sizes[k] += 1
    return sizes
