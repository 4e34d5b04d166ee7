"""Series with the points at which they are to be predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from node_cli.data.series_file import Points
from node_cli.data.series_units import SeriesUnits
from node_cli.tasks.asked_times import merged
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, UNSEEN, OneSeries, Series


@dataclass(frozen=True)
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
    own = (series.times, series.values, series.known, series.roles)
    return AskedSeries(*own, asked=series.roles > 0, at=at)


def asked_series(
    given: Mapping[str, Points],
    asked: Mapping[str, NDArray[np.float64]],
    units: SeriesUnits,
) -> AskedSeries:
    """Series as they are given, with the points that are asked for between and after.

    Args:
        given: times and values of each series, by its id, in the units of the user.
        asked: times of each.
        units: of the model.
    """
    series, at, wanted = [], [], []
    for name, (times, values) in given.items():
        both, places, among = merged(times, asked[name])
        roles = np.where(both > times[-1], FORWARD, UNSEEN)
        roles[places] = OBSERVED
        measured = np.full((len(both), values.shape[1]), np.nan)
        measured[places] = values
        at.append(torch.from_numpy(both))
        wanted.append(torch.from_numpy(among))
        own = units.model_times(at[-1], torch.from_numpy(times[:1]))
        standard = units.model_values(torch.from_numpy(measured))
        series.append(OneSeries(own, standard, torch.from_numpy(roles)))
    padded = Series.padded(series)
    return AskedSeries(
        padded.times,
        padded.values,
        padded.known,
        padded.roles,
        asked=pad_sequence(wanted, batch_first=True),
        at=pad_sequence(at, batch_first=True),
    )
