"""A user's own series: a CSV file in long form."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
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
    assert config.path is not None
    columns, series = _read(Path(config.path), config)
    parts = _split(list(series.values()), config, seed)
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


_Points = tuple[np.ndarray, np.ndarray]


def _read(path: Path, config: SeriesTableConfig) -> tuple[list[str], dict[str, _Points]]:
    where = f"data.path={path}"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DataError(f"{where}: this file cannot be read ({reason}).") from error
    reader = csv.reader(text.splitlines())
    header = [cell.strip() for cell in next(reader, [])]
    for option, name in (("id", config.id), ("time", config.time)):
        if name not in header:
            raise DataError(
                f"{where}: there is no column {name}; the first line names the columns"
                f" ({', '.join(header) or 'none'}). Give data.{option}=NAME."
            )
    at_id, at_time = header.index(config.id), header.index(config.time)
    at_values = [i for i in range(len(header)) if i not in (at_id, at_time)]
    if not at_values:
        raise DataError(f"{where}: there is no column of values beside {config.id}, {config.time}.")
    found: dict[str, tuple[list[float], list[list[float]]]] = {}
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        line = f"{where}, line {reader.line_num}"
        if len(row) != len(header):
            raise DataError(
                f"{line}: {len(row)} values where the first line has {len(header)} names."
            )
        times, values = found.setdefault(row[at_id].strip(), ([], []))
        time = _number(row[at_time], f"{line}: the time", missing=False)
        if times and time <= times[-1]:
            what = "the same time" if time == times[-1] else "an earlier time"
            raise DataError(
                f"{line}: {what} as in a row before it ({config.id} {row[at_id].strip()},"
                f" {config.time} {row[at_time].strip()}); the rows of a series must be in the order"
                " of time, each time once."
            )
        times.append(time)
        values.append([_number(row[i], f"{line}: {header[i]}") for i in at_values])
    if len(found) < 3:
        raise DataError(
            f"{where}: it holds {len(found)} series; at least 3 are needed, for training,"
            " validation and test."
        )
    arrays = {name: (np.array(t), np.array(v)) for name, (t, v) in found.items()}
    return [header[i] for i in at_values], arrays


def _number(cell: str, what: str, missing: bool = True) -> float:
    text = cell.strip()
    if missing and text.lower() in ("", "nan", "na"):
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        given = f"'{text}'" if text else "empty"
        raise DataError(f"{what} is {given}; it must be a finite number.")
    return number


def _split(series: list[_Points], config: SeriesTableConfig, seed: int) -> list[list[_Points]]:
    count = len(series)
    order = torch.randperm(count, generator=random_stream(seed, Stream.SPLIT)).tolist()
    held = [max(1, round(share * count)) for share in (config.validation, config.test)]
    train = count - sum(held)
    if train < config.batch_size:
        raise DataError(
            f"data.batch_size={config.batch_size}: must be at most {max(train, 0)}, the number of"
            " training series that data.validation and data.test leave."
        )
    bounds = (0, train, train + held[0], count)
    return [[series[i] for i in order[a:b]] for a, b in pairwise(bounds)]


def _padded(
    part: list[_Points],
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
