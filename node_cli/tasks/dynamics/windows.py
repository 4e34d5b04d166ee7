"""Windows of trajectories, on which a model is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from node_cli.data.batches import ShuffledBatches
from node_cli.data.tensor_record import TensorRecord
from node_cli.tasks.dynamics.trajectories import Trajectories


@dataclass(frozen=True)
class Window(TensorRecord):
    """B windows of W points.

    Attributes:
        start: the time of the first point, ``[B]``.
        elapsed: the time since then, ``[B, W]``.
        states: as observed, ``[B, W, D]``.
        derivatives: true ones, ``[B, W, D]``.
        there: points that are no padding, bool ``[B, W]``.
    """

    start: Tensor
    elapsed: Tensor
    states: Tensor
    derivatives: Tensor
    there: Tensor


class Windows:
    """All windows of the points that training may see.

    Args:
        of: the trajectories.
        length: W; None: whole trajectories, as long as the longest.
    """

    def __init__(self, of: Trajectories, length: int | None) -> None:
        self._of, self._length = of, length
        counts = of.shown.sum(dim=1)
        longest = int(counts.max())
        self._width = longest if length is None else length
        # Shown points to the front, in their order.
        order = (~of.shown).to(torch.int8).argsort(dim=1, stable=True)[:, :longest]
        wide = order.unsqueeze(-1).expand(-1, -1, of.states.shape[-1])
        self._times = of.times.gather(1, order)
        self._states = of.states.gather(1, wide)
        self._derivatives = of.derivatives.gather(1, wide)
        self._counts = counts
        windows = counts.new_ones(len(counts)) if length is None else counts - length + 1
        windows = windows.clamp(min=0)
        rows = torch.arange(len(counts), device=counts.device)
        self._rows = rows.repeat_interleave(windows)
        before = windows.cumsum(0) - windows
        self._columns = torch.arange(len(self._rows), device=counts.device) - before[self._rows]
        # Of equal distances: the same elapsed times for all windows, to the bit.
        steps = self._times.diff(dim=1)
        self._regular = bool((self._times == self._times[:1]).all()) and torch.allclose(
            steps, steps[:1, :1], rtol=1e-4, atol=0.0
        )

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    def __getitem__(self, places: Tensor | slice) -> Window:
        """Some of them."""
        rows, columns = self._rows[places], self._columns[places]
        along = columns.unsqueeze(1) + torch.arange(self._width, device=columns.device)
        there = along < self._counts[rows].unsqueeze(1)
        along = torch.minimum(along, (self._counts[rows] - 1).unsqueeze(1))
        times = self._times[rows.unsqueeze(1), along]
        start = times[:, 0]
        if self._regular:
            elapsed = (self._times[0] - self._times[0, 0])[: self._width].expand_as(times)
        else:
            elapsed = times - start.unsqueeze(1)
        where = rows.unsqueeze(1), along
        return Window(start, elapsed, self._states[where], self._derivatives[where], there)

    def to(self, device: torch.device) -> Windows:
        """The same on a device."""
        return Windows(self._of.to(device), self._length)


class ManyPasses:
    """Training batches of several passes as one epoch.

    Args:
        of: the batches of one pass, each pass in an order of its own.
        passes: in an epoch.
    """

    def __init__(self, of: ShuffledBatches, passes: int) -> None:
        self._of, self._passes = of, passes

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._passes * len(self._of)

    def batch(self, epoch: int, index: int) -> Window:
        """The windows of a batch, both numbers counted from 0."""
        done, place = divmod(index, len(self._of))
        window: Window = self._of.batch(self._passes * epoch + done, place)
        return window
