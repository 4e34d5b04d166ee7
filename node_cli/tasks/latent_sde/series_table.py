"""A user's own series: a CSV file in long form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Points, read_series_file, split_series
from node_cli.data.series_units import SeriesUnits
from node_cli.data.standardisation import mean_and_deviation
from node_cli.data.time_units import about_times, time_units
from node_cli.errors import DataError
from node_cli.plain_text import plain_text
from node_cli.tasks.latent_sde.asked_series import AskedSeries, all_asked
from node_cli.tasks.latent_sde.data_set import DataSet
from node_cli.tasks.latent_sde.schema import SeriesTableConfig
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, UNSEEN, OneSeries, Series
from node_cli.tasks.latent_sde.stream import Stream

_FEWEST = 3  # points of a series: two that are observed and one that may be held out


def read_series(config: SeriesTableConfig, seed: int) -> DataSet:
    """Read, split, hide and standardise.

    Rows without any value are left out. Of validation and test series, the share
    ``config.hidden`` of the points is held out; training series are observed whole in the inner
    points and without the last ones where these are to be predicted.

    Raises:
        DataError: the file is missing, lacks a column, a time or a value is wrong (with the line),
            or a series is too short.
    """
    columns, series, _labels, read_as = read_series_file(config)
    where = f"data.path={config.path}"
    measured = {name: _measured(points) for name, points in series.items()}
    for name, (times, _) in measured.items():
        if len(times) < _FEWEST:
            raise DataError(
                f"{where}: the series {config.id} {plain_text(name)} has {len(times)}"
                f" point{'' if len(times) == 1 else 's'} with a value; a path needs at least"
                f" {_FEWEST}. Leave the series out of the file."
            )
    points = list(measured.items())
    named = split_series(points, config, random_stream(seed, Stream.SPLIT))
    parts = [[own for _, own in part] for part in named]
    if len(parts[0]) < config.batch_size:
        raise DataError(
            f"data.batch_size={config.batch_size}: must be at most {len(parts[0])}, the number of"
            " training series that data.validation and data.test leave."
        )
    train = np.concatenate([values for _, values in parts[0]])
    mean, spread = mean_and_deviation(train, columns, where, "training series")
    origin, scale = time_units(config, measured, (times for times, _ in parts[0]))
    units = SeriesUnits(columns, torch.from_numpy(mean), torch.from_numpy(spread), origin, scale)
    stream = random_stream(seed, Stream.SPLIT, 1)
    train_part, validation, test = (_padded(part, units, config, stream) for part in parts)
    about = filter(None, (read_as, about_times(config.time, origin, scale)))
    ids = [name for name, _ in named[2]]
    return DataSet((train_part, validation, test), units, ids, "; ".join(about))


def _padded(
    part: Sequence[Points], units: SeriesUnits, config: SeriesTableConfig, stream: torch.Generator
) -> AskedSeries:
    at = [torch.from_numpy(times) for times, _ in part]
    series = [
        OneSeries(
            units.model_times(own, own[:1]),
            units.model_values(torch.from_numpy(values)),
            _roles(len(own), config, stream),
        )
        for own, (_, values) in zip(at, part, strict=True)
    ]
    return all_asked(Series.padded(series), pad_sequence(at, batch_first=True))


def _measured(points: Points) -> Points:
    """The points at which there is a value."""
    times, values = points
    there = np.isfinite(values).any(axis=1)
    return times[there], values[there]


def _roles(count: int, config: SeriesTableConfig, stream: torch.Generator) -> torch.Tensor:
    hidden = min(count - 2, round(config.hidden * count))
    roles = torch.full((count,), OBSERVED)
    if config.mode == "extrapolation":
        roles[count - hidden :] = FORWARD
    else:
        roles[torch.randperm(count, generator=stream)[:hidden]] = UNSEEN
    return roles
