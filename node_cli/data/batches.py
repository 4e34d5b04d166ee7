"""Batches of examples that lie in memory as a whole; no worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.errors import DataError

# A tensor; a tuple, list or dictionary of tensors; or a class of its own with a length, ``to`` and
# indexing. The first dimension of each tensor goes over the examples.
Examples = Any

ORDER = 1000  # the stream of random numbers that shuffles, where a task names no other


class ShuffledBatches:
    """Training batches in a new order in each epoch.

    Each is a pure function of the seed, the epoch and its index.

    Args:
        examples: all of them.
        batch_size: B; the examples of an epoch that do not fill a batch are left out.
        seed: of the order, not negative.
        device: of the batches.
        stream: of random numbers, apart from others that the task draws with this seed.

    Raises:
        DataError: there are fewer examples than one batch takes.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        seed: int,
        device: torch.device,
        stream: int = ORDER,
    ) -> None:
        self._count = number_of(examples)
        if self._count < batch_size:
            raise DataError(
                f"data.batch_size={batch_size}: must be at most {self._count}, the number of"
                " training examples."
            )
        self._examples = moved(examples, device)
        self._batch_size, self._seed, self._device = batch_size, seed, device
        self._stream = stream
        self._shuffled: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.int64))

    def __len__(self) -> int:
        """Full batches in an epoch."""
        return self._count // self._batch_size

    def batch(self, epoch: int, index: int) -> Examples:
        """The examples of a batch, both numbers counted from 0."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        if self._shuffled[0] != epoch:
            stream = random_stream(self._seed, self._stream, epoch)
            order = torch.randperm(self._count, generator=stream)
            self._shuffled = (epoch, order.to(self._device))
        start = index * self._batch_size
        return some_of(self._examples, self._shuffled[1][start : start + self._batch_size])


class OrderedBatches:
    """All examples once, in order, the last batch as large as what remains.

    Args:
        examples: all of them.
        batch_size: B.
        device: of the batches.
    """

    def __init__(self, examples: Examples, batch_size: int, device: torch.device) -> None:
        self.examples = moved(examples, device)
        self._starts = range(0, number_of(examples), batch_size)
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._starts)

    def __iter__(self) -> Iterator[Examples]:
        """Go through all batches once."""
        for start in self._starts:
            yield some_of(self.examples, slice(start, start + self._batch_size))


def number_of(examples: Examples) -> int:
    """How many examples there are.

    Raises:
        ValueError: the tensors of a tuple, list or dictionary do not agree on it.
    """
    parts = _parts(examples)
    if parts is None:
        return len(examples)
    counts = {number_of(part) for part in parts}
    if len(counts) != 1:
        raise ValueError(
            f"the tensors of the examples have lengths {sorted(counts)}: the first dimension of"
            " each must go over the same examples"
        )
    return counts.pop()


def some_of(examples: Examples, places: Tensor | slice) -> Examples:
    """The examples at some places, of the same kind."""
    return _each(examples, lambda part: part[places])


def moved(examples: Examples, device: torch.device) -> Examples:
    """The same examples on a device."""
    return _each(examples, lambda part: part.to(device))


def _parts(examples: Examples) -> list[Examples] | None:
    """The tensors of a tuple, list or dictionary; None: it is one thing."""
    if isinstance(examples, dict):
        return list(examples.values())
    return list(examples) if isinstance(examples, tuple | list) else None


def _each(examples: Examples, change: Callable[[Examples], Examples]) -> Examples:
    if isinstance(examples, dict):
        return {name: _each(part, change) for name, part in examples.items()}
    if isinstance(examples, tuple | list):
        changed = (_each(part, change) for part in examples)
        return type(examples)(*changed) if hasattr(examples, "_fields") else type(examples)(changed)
    return change(examples)
