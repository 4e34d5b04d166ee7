"""Time series of different lengths and times, and their batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream

Role = Literal["observed", "unseen", "forward", "backward"]
# What a point is for; 0 is padding.
ROLES: dict[Role, int] = {"observed": 1, "unseen": 2, "forward": 3, "backward": 4}
_ORDER = 5  # the stream of random numbers that shuffles series


@dataclass(frozen=True)
class Series:
    """N series of at most P points with D values each.

    The points of a series are in the order of time, and padded at the end.

    Attributes:
        times: ``[N, P]``; 0 is where the latent trajectories start.
        values: what was measured, ``[N, P, D]``; 0 where there is nothing.
        truth: what predictions are compared with, likewise; without noise where it is known.
        known: where there is a value, bool ``[N, P, D]``.
        roles: of each point, ``[N, P]``, as in ``ROLES``: only observed points are shown to a
            model; the others lie between them or beyond, forwards or backwards in time.
    """

    times: Tensor
    values: Tensor
    truth: Tensor
    known: Tensor
    roles: Tensor

    def __len__(self) -> int:
        """N."""
        return len(self.times)

    def __getitem__(self, places: Tensor | slice) -> Series:
        """Some of the series."""
        return Series(*(getattr(self, field.name)[places] for field in fields(self)))

    def to(self, device: torch.device) -> Series:
        """The same series on a device."""
        return Series(*(getattr(self, field.name).to(device) for field in fields(self)))

    @property
    def observed(self) -> Tensor:
        """Where there is a value that a model is shown, bool ``[N, P, D]``."""
        return self.known & (self.roles == ROLES["observed"]).unsqueeze(-1)

    @cached_property
    def regular(self) -> bool:
        """Whether all series have the same times, each of them once."""
        same = bool((self.times == self.times[:1]).all()) and bool((self.roles > 0).all())
        return same and bool((self.times[0].diff() > 0).all())

    def union(self) -> tuple[Tensor, Tensor]:
        """The times of all series, increasing, ``[U]``, and the place of each point, ``[B, P]``.

        The place of padding is 0.
        """
        if self.regular:
            times = self.times[0]
            return times, torch.arange(len(times), device=times.device).expand_as(self.roles)
        there = self.roles > 0
        times, places = torch.unique(self.times[there], return_inverse=True)
        index = torch.zeros_like(self.roles)
        index[there] = places
        return times, index

    def only(self, *roles: Role) -> Series:
        """The points of some roles alone, as short as the longest series allows."""
        chosen = torch.zeros_like(self.roles, dtype=torch.bool)
        for role in roles:
            chosen |= self.roles == ROLES[role]
        if bool(chosen.all()):
            return self
        longest = max(1, int(chosen.sum(dim=1).max()))
        # A stable sort moves the chosen points to the front and keeps their order.
        order = (~chosen).to(torch.int8).argsort(dim=1, stable=True)[:, :longest]
        kept = torch.gather(chosen, 1, order)
        wide = order.unsqueeze(-1).expand(-1, -1, self.values.shape[-1])
        return Series(
            torch.gather(self.times, 1, order) * kept,
            torch.gather(self.values, 1, wide) * kept.unsqueeze(-1),
            torch.gather(self.truth, 1, wide) * kept.unsqueeze(-1),
            torch.gather(self.known, 1, wide) & kept.unsqueeze(-1),
            torch.gather(self.roles, 1, order) * kept,
        )


class SeriesTraining:
    """Training batches of series, in a new order in each epoch.

    Args:
        series: all of them.
        batch_size: B; the series of an epoch that do not fill a batch are left out.
        seed: of the order, not negative.
        device: of the batches.
    """

    def __init__(self, series: Series, batch_size: int, seed: int, device: torch.device) -> None:
        self._series = series.to(device)
        self._batch_size = batch_size
        self._seed = seed

    def __len__(self) -> int:
        """Full batches in an epoch."""
        return len(self._series) // self._batch_size

    def batch(self, epoch: int, index: int) -> Series:
        """A batch, a pure function of epoch and index."""
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        stream = random_stream(self._seed, _ORDER, epoch)
        order = torch.randperm(len(self._series), generator=stream)
        start = index * self._batch_size
        return self._series[order[start : start + self._batch_size].to(self._series.times.device)]


class SeriesBatches:
    """All series once, in order, the last batch as large as what remains.

    Args:
        series: all of them.
        batch_size: B.
        device: of the batches.
    """

    def __init__(self, series: Series, batch_size: int, device: torch.device) -> None:
        self.series = series.to(device)
        self._starts = range(0, len(series), batch_size)
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._starts)

    def __iter__(self) -> Iterator[Series]:
        """Yield batches."""
        for start in self._starts:
            yield self.series[start : start + self._batch_size]


def choose_points(points: int, of: int, count: int, generator: torch.Generator) -> Tensor:
    """``points`` of ``of`` places for each of ``count`` series, at random; bool ``[count, of]``."""
    ranks = torch.rand(count, of, generator=generator).argsort(dim=1).argsort(dim=1)
    return ranks < points
