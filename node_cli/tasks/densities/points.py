"""Batches of points: fresh ones of a density, or those of a table."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.errors import DataError
from node_cli.tasks.densities.shapes import Density

# Streams of random numbers; the order of a table has its own.
_TRAIN, _VALIDATION, _TEST, _ORDER = 0, 1, 2, 3


class FreshBatches:
    """Training batches that no other batch shares a point with.

    Each is a pure function of the seed, the epoch and its index.

    Args:
        density: where points come from.
        batch_size: B.
        batches: in an epoch, which is only a span between two validations here.
        seed: not negative.
        device: of the batches.
    """

    def __init__(
        self, density: Density, batch_size: int, batches: int, seed: int, device: torch.device
    ) -> None:
        self._density = density
        self._batch_size, self._batches = batch_size, batches
        self._seed, self._device = seed, device

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._batches

    def batch(self, epoch: int, index: int) -> Tensor:
        """The points of a batch, float32 ``[B, 2]``."""
        if not 0 <= index < self._batches:
            raise IndexError(f"batch {index} of {self._batches}")
        stream = random_stream(self._seed, _TRAIN, epoch, index)
        return self._density.sample(self._batch_size, stream).to(self._device)


class PointBatches:
    """All points once, in order, the last batch as large as what remains.

    Args:
        points: ``[N, d]``.
        batch_size: B.
        device: of the batches.
    """

    def __init__(self, points: Tensor, batch_size: int, device: torch.device) -> None:
        self.points = points.to(device)
        self._starts = range(0, len(points), batch_size)
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._starts)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield points ``[B, d]``."""
        for start in self._starts:
            yield self.points[start : start + self._batch_size]


class ShuffledBatches:
    """Training batches of a table, in a new order in each epoch.

    Args:
        points: ``[N, d]``.
        batch_size: B; the rows of an epoch that do not fill a batch are left out.
        seed: of the order, not negative.
        device: of the batches.

    Raises:
        DataError: there are fewer rows than one batch takes.
    """

    def __init__(self, points: Tensor, batch_size: int, seed: int, device: torch.device) -> None:
        if len(points) < batch_size:
            raise DataError(
                f"data.batch_size={batch_size}: must be at most {len(points)}, the number of"
                " training rows."
            )
        self._points = points.to(device)
        self._batch_size = batch_size
        self._seed = seed
        self._shuffled: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.int64))

    def __len__(self) -> int:
        """Full batches in an epoch."""
        return len(self._points) // self._batch_size

    def batch(self, epoch: int, index: int) -> Tensor:
        """The points of a batch, ``[B, d]``; a pure function of epoch and index."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        if self._shuffled[0] != epoch:
            stream = random_stream(self._seed, _ORDER, epoch)
            order = torch.randperm(len(self._points), generator=stream)
            self._shuffled = (epoch, order.to(self._points.device))
        start = index * self._batch_size
        return self._points[self._shuffled[1][start : start + self._batch_size]]


def held_out(density: Density, validation: int, test: int, seed: int) -> tuple[Tensor, Tensor]:
    """Fixed points for validation and for the test, ``[validation, 2]`` and ``[test, 2]``.

    They are fixed by the seed, and no training batch shares them.
    """
    return (
        density.sample(validation, random_stream(seed, _VALIDATION)),
        density.sample(test, random_stream(seed, _TEST)),
    )
