"""A user's own series: a CSV file in long form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Points, read_series_file, split_series
from node_cli.errors import DataError
from node_cli.tasks.series.observed import ROLES, Series
from node_cli.tasks.series.schema import SeriesTableConfig
from node_cli.tasks.series.stream import Stream


@dataclass(frozen=True)
class SeriesTable:
    """The series of a file.

    Attributes:
        parts: training, validation and test; times start at 0 with the file's earliest, and the
            values are standardised.
        columns: names of the D values.
        mean: of the training values, ``[D]``.
        std: their standard deviation, ``[D]``.
    """

    parts: list[Series]
    columns: list[str]
    mean: Tensor
    std: Tensor


def read_series(config: SeriesTableConfig, seed: int) -> SeriesTable:
    """Read, split, hide and standardise.

    Every row is a point: the id of its series, its time, and values, of which empty ones are
    missing. The rows of a series stand in the order of time.

    Raises:
        DataError: the file is missing, lacks a column, or a time or a value is wrong; with the
            line.
    """
    columns, series = read_series_file(config)
    parts = split_series(list(series.values()), config, random_stream(seed, Stream.SPLIT))
    if len(parts[0]) < config.batch_size:
        raise DataError(
            f"data.batch_size={config.batch_size}: must be at most {len(parts[0])}, the number of"
            " training series that data.validation and data.test leave."
        )
    train = np.concatenate([values for _, values in parts[0]])
    with np.errstate(all="ignore"):
        mean, std = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    for name, spread in zip(columns, std, strict=True):
        if not spread > 0:
            raise DataError(
                f"data.path={config.path}: the column {name} is constant or empty in the training"
                " series; leave it out of the file."
            )
    earliest = min(float(times[0]) for part in parts for times, _ in part)
    stream = random_stream(seed, Stream.SPLIT, 1)
    padded = [_padded(part, earliest, mean, std, config, stream) for part in parts]
    return SeriesTable(
        padded, columns, torch.from_numpy(mean).float(), torch.from_numpy(std).float()
    )


def _padded(
    part: list[Points],
    earliest: float,
    mean: np.ndarray,
    std: np.ndarray,
    config: SeriesTableConfig,
    stream: torch.Generator,
) -> Series:
    longest = max(len(times) for times, _ in part)
    shape = (len(part), longest)
    times, roles = torch.zeros(shape), torch.zeros(shape, dtype=torch.int64)
    values = torch.zeros(*shape, len(mean))
    known = torch.zeros(*shape, len(mean), dtype=torch.bool)
    for i, (at, measured) in enumerate(part):
        n = len(at)
        standard = torch.from_numpy((measured - mean) / std).float()
        times[i, :n] = torch.from_numpy(at - earliest).float()
        known[i, :n] = torch.isfinite(standard)
        values[i, :n] = standard.nan_to_num(0.0)
        hidden = min(n - 1, round(config.hidden * n))
        own = torch.full((n,), ROLES["observed"])
        if config.mode == "extrapolation":
            own[n - hidden :] = ROLES["forward"]
        else:
            own[torch.randperm(n, generator=stream)[:hidden]] = ROLES["unseen"]
        roles[i, :n] = own
    return Series(times, values, values.clone(), known, roles)
