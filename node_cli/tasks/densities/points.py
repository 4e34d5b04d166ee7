"""Points of a density: fresh ones for training, fixed ones for evaluation."""

from __future__ import annotations

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.tasks.densities.shapes import Density
from node_cli.tasks.densities.stream import Stream


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
        stream = random_stream(self._seed, Stream.TRAIN_POINTS, epoch, index)
        return self._density.sample(self._batch_size, stream).to(self._device)


def held_out(density: Density, validation: int, test: int, seed: int) -> tuple[Tensor, Tensor]:
    """Fixed points for validation and for the test, ``[validation, 2]`` and ``[test, 2]``.

    They are fixed by the seed, and no training batch shares them.
    """
    return (
        density.sample(validation, random_stream(seed, Stream.VALIDATION_POINTS)),
        density.sample(test, random_stream(seed, Stream.TEST_POINTS)),
    )
