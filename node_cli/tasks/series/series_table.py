"""A user's own series: a CSV file in long form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Points, read_series_file, split_series
from node_cli.data.series_units import SeriesUnits
from node_cli.data.standardisation import mean_and_deviation
from node_cli.errors import DataError
from node_cli.tasks.series.asked_series import AskedSeries, all_asked
from node_cli.tasks.series.observed import ROLES, Series
from node_cli.tasks.series.schema import SeriesTableConfig
from node_cli.tasks.series.stream import Stream


@dataclass(frozen=True)
class SeriesTable:
    """The series of a file.

    Attributes:
        parts: training, validation and test; times start at 0 with the file's earliest, and the
            values are standardised by mean and deviation of the training values.
        units: how they were changed.
        ids: of the test.
    """

    parts: list[AskedSeries]
    units: SeriesUnits
    ids: list[str]


def made(parts: Sequence[Series]) -> SeriesTable:
    """Series that were made, in their own units and with numbers for ids."""
    count, _, dimensions = parts[2].values.shape
    units = SeriesUnits.unchanged([f"x{number}" for number in range(1, dimensions + 1)])
    asked = [all_asked(part, part.times.double()) for part in parts]
    return SeriesTable(asked, units, list(map(str, range(count))))


def read_series(config: SeriesTableConfig, seed: int) -> SeriesTable:
    """Read, split, hide and standardise.

    Every row is a point: the id of its series, its time, and values, of which empty ones are
    missing. The rows of a series stand in the order of time.

    Raises:
        DataError: the file is missing, lacks a column, or a time or a value is wrong; with the
            line.
    """
    columns, series, _read_as = read_series_file(config)
    parts = split_series(list(series.items()), config, random_stream(seed, Stream.SPLIT))
    if len(parts[0]) < config.batch_size:
        raise DataError(
            f"data.batch_size={config.batch_size}: must be at most {len(parts[0])}, the number of"
            " training series that data.validation and data.test leave."
        )
    train = np.concatenate([values for _, (_, values) in parts[0]])
    mean, std = mean_and_deviation(train, columns, f"data.path={config.path}", "training series")
    earliest = min(float(times[0]) for times, _ in series.values())
    units = SeriesUnits(columns, torch.from_numpy(mean), torch.from_numpy(std), earliest)
    stream = random_stream(seed, Stream.SPLIT, 1)
    padded = [_padded([points for _, points in part], units, config, stream) for part in parts]
    return SeriesTable(padded, units, [name for name, _ in parts[2]])


def _padded(
    part: list[Points],
    units: SeriesUnits,
    config: SeriesTableConfig,
    stream: torch.Generator,
) -> AskedSeries:
    longest = max(len(times) for times, _ in part)
    shape = (len(part), longest)
    times, roles = torch.zeros(shape), torch.zeros(shape, dtype=torch.int64)
    own_times = torch.zeros(shape, dtype=torch.float64)
    values = torch.zeros(*shape, len(units.columns))
    known = torch.zeros(*shape, len(units.columns), dtype=torch.bool)
    for i, (at, measured) in enumerate(part):
        n = len(at)
        standard = units.model_values(torch.from_numpy(measured))
        own_times[i, :n] = torch.from_numpy(at)
        times[i, :n] = units.model_times(own_times[i, :n])
        known[i, :n] = torch.isfinite(standard)
        values[i, :n] = standard.nan_to_num(0.0)
        hidden = min(n - 1, round(config.hidden * n))
        own = torch.full((n,), ROLES["observed"])
        if config.mode == "extrapolation":
            own[n - hidden :] = ROLES["forward"]
        else:
            own[torch.randperm(n, generator=stream)[:hidden]] = ROLES["unseen"]
        roles[i, :n] = own
    series = Series(times, values, values.clone(), known, roles)
    return all_asked(series, own_times)
