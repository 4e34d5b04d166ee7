"""Time series of different lengths and times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from node_cli.data.tensor_record import TensorRecord

Role = Literal["observed", "unseen", "forward", "backward"]
# What a point is for; 0 is padding.
ROLES: dict[Role, int] = {"observed": 1, "unseen": 2, "forward": 3, "backward": 4}


@dataclass(frozen=True)
class Series(TensorRecord):
    """N series of at most P points with D values each.

    The points of a series are in the order of time, and padded at the end.

    Attributes:
        times: ``[N, P]``; 0 is where the latent trajectories start.
        values: what was measured, ``[N, P, D]``; 0 where there is nothing.
        truth: what predictions are compared with, likewise; without noise where it is known.
        known: where there is a value, bool ``[N, P, D]``.
        roles: of each point, ``[N, P]``, as in ``ROLES``: only observed points are shown to a
            model; the others lie between them or beyond, forwards or backwards in time.
        labels: the class of each, int64 ``[N]``, -1 where nobody knows it; None: there are none.
    """

    times: Tensor
    values: Tensor
    truth: Tensor
    known: Tensor
    roles: Tensor
    labels: Tensor | None = None

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
            self.labels,
        )


def choose_points(points: int, of: int, count: int, generator: torch.Generator) -> Tensor:
    """``points`` of ``of`` places for each of ``count`` series, at random; bool ``[count, of]``."""
    ranks = torch.rand(count, of, generator=generator).argsort(dim=1).argsort(dim=1)
    return ranks < points
