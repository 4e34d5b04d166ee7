"""Series of the user's own, with the times at which they are to be predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_cli.data.series_file import Points
from node_cli.data.series_units import SeriesUnits
from node_cli.tasks.asked_times import merged
from node_cli.tasks.series.observed import ROLES, Series


@dataclass(frozen=True, kw_only=True)
class AskedSeries(Series):
    """Series of which some points are to be predicted.

    Attributes:
        asked: which, bool ``[N, P]``.
        at: times as the user has them, float64 ``[N, P]``.
    """

    asked: Tensor
    at: Tensor


def all_asked(series: Series, at: Tensor) -> AskedSeries:
    """Series that are predicted at all of their points, whose times ``[N, P]`` the user knows."""
    own = (series.times, series.values, series.truth, series.known, series.roles, series.labels)
    return AskedSeries(*own, asked=series.roles > 0, at=at)


def asked_series(
    given: Mapping[str, Points],
    asked: Mapping[str, NDArray[np.float64]],
    units: SeriesUnits,
) -> AskedSeries:
    """Series as they are given, with the points that are asked for between and beyond.

    Args:
        given: times and values of each series, by its id, in the units of the user.
        asked: times of each.
        units: of the model.
    """
    rows = [merged(times, asked[name]) for name, (times, _) in given.items()]
    longest = max(len(both) for both, _, _ in rows)
    dimensions = next(iter(given.values()))[1].shape[1]
    at = torch.zeros(len(rows), longest, dtype=torch.float64)
    values = torch.zeros(len(rows), longest, dimensions, dtype=torch.float64)
    known = torch.zeros_like(values, dtype=torch.bool)
    roles = torch.zeros(len(rows), longest, dtype=torch.int64)
    wanted = torch.zeros(len(rows), longest, dtype=torch.bool)
    for i, (row, (observed_at, measured)) in enumerate(zip(rows, given.values(), strict=True)):
        both, places, among = row
        n = len(both)
        at[i, :n], wanted[i, :n] = torch.from_numpy(both), torch.from_numpy(among)
        roles[i, :n] = torch.from_numpy(_roles(both, places, observed_at))
        there = torch.from_numpy(np.isfinite(measured))
        values[i, torch.from_numpy(places)] = torch.from_numpy(measured).nan_to_num(0.0)
        known[i, torch.from_numpy(places)] = there
    standard = units.model_values(values) * known
    first = torch.tensor([[times[0]] for times, _ in given.values()], dtype=torch.float64)
    times = units.model_times(at, first) * (roles > 0)
    return AskedSeries(times, standard, standard, known, roles, asked=wanted, at=at)


def _roles(
    both: NDArray[np.float64], given: NDArray[np.intp], times: NDArray[np.float64]
) -> NDArray[np.int64]:
    roles = np.full(len(both), ROLES["unseen"])
    roles[both < times[0]], roles[both > times[-1]] = ROLES["backward"], ROLES["forward"]
    roles[given] = ROLES["observed"]
    return roles
