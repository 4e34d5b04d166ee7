"""Time series of different lengths and times, of which a part is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from node_cli.data.tensor_record import TensorRecord

# What a point is for; 0 is padding. Those that are held out lie between observed ones or after.
OBSERVED, UNSEEN, FORWARD = 1, 2, 3


class OneSeries(NamedTuple):
    """The P points of one series.

    Attributes:
        times: increasing, none below 0, ``[P]``.
        values: what was measured, ``[P, D]``; not a number where there is nothing.
        roles: of each point, ``[P]``.
    """

    times: Tensor
    values: Tensor
    roles: Tensor


@dataclass(frozen=True)
class Series(TensorRecord):
    """N series of at most P points with D values each, in the order of time, padded at the end.

    Attributes:
        times: ``[N, P]``; paths start at 0.
        values: what was measured, ``[N, P, D]``; 0 where there is nothing.
        known: where there is a value, bool ``[N, P, D]``.
        roles: of each point, ``[N, P]``: ``OBSERVED``, ``UNSEEN`` or ``FORWARD``.
    """

    times: Tensor
    values: Tensor
    known: Tensor
    roles: Tensor

    @classmethod
    def padded(cls, series: Sequence[OneSeries]) -> Series:
        """Series of different lengths in one record."""
        longest = max(len(one.times) for one in series)
        shape = (len(series), longest, series[0].values.shape[-1])
        times, values = torch.zeros(shape[:2]), torch.zeros(shape)
        roles, known = (
            torch.zeros(shape[:2], dtype=torch.int64),
            torch.zeros(shape, dtype=torch.bool),
        )
        for i, one in enumerate(series):
            n = len(one.times)
            times[i, :n], roles[i, :n] = one.times, one.roles
            values[i, :n] = one.values.nan_to_num(0.0)
            known[i, :n] = torch.isfinite(one.values)
        return cls(times, values, known, roles)

    @cached_property
    def regular(self) -> bool:
        """Whether all series have the same points, each of them once."""
        alike = bool((self.times == self.times[:1]).all() and (self.roles == self.roles[:1]).all())
        once = bool((self.times[0].diff() > 0).all())  # close ones may be one in single precision
        return alike and once and bool((self.roles > 0).all())

    @cached_property
    def observed(self) -> Series:
        """The points that a model is shown, as short as the longest series of them allows."""
        shown = self.roles == OBSERVED
        if bool(shown.all()):
            return self
        longest = int(shown.sum(dim=1).max())
        # A stable sort moves them to the front and keeps their order.
        order = (~shown).to(torch.int8).argsort(dim=1, stable=True)[:, :longest]
        kept = torch.gather(shown, 1, order)
        wide = order.unsqueeze(-1).expand(-1, -1, self.values.shape[-1])
        return Series(
            torch.gather(self.times, 1, order) * kept,
            torch.gather(self.values, 1, wide) * kept.unsqueeze(-1),
            torch.gather(self.known, 1, wide) & kept.unsqueeze(-1),
            torch.gather(self.roles, 1, order) * kept,
        )

    @property
    def lengths(self) -> Tensor:
        """Points of each series, ``[N]``."""
        return (self.roles > 0).sum(dim=1)

    @property
    def ends(self) -> Tensor:
        """The time of the last point of each series, ``[N]``."""
        return self.times.gather(1, (self.lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1)

    def union(self) -> tuple[Tensor, Tensor]:
        """The times of all series, increasing, ``[U]``, and the place of each point, ``[N, P]``.

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
