"""A user's own series: a CSV file in long form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from node_cli.data.text_table import TextTable, listed_names, read_text_table
from node_cli.errors import DataError
from node_cli.plain_text import plain_text, shortened
from node_cli.schema.series_file import SeriesFileConfig

# Times ``[P]``, increasing, and values ``[P, D]``, of which missing ones are not numbers.
Points = tuple[np.ndarray, np.ndarray]
Named = tuple[str, Points]  # with the id of the series
# A series, whatever is known of it.
Whole = TypeVar("Whole")


class SeriesFile(NamedTuple):
    """What a file of series holds.

    Attributes:
        columns: names of the D values.
        series: the points of each series, by its id.
        labels: the class of each series, by its id; of one whose class the file does not tell
            there is none.
        read_as: what was read, in a few words.
    """

    columns: list[str]
    series: dict[str, Points]
    labels: dict[str, str]
    read_as: str


def read_series_file(config: SeriesFileConfig) -> SeriesFile:
    """Read series in long form, enough of them to be split.

    Raises:
        DataError: as for ``read_points``, or there are fewer than three series.
    """
    assert config.path is not None
    where = f"data.path={config.path}"
    found = read_points(Path(config.path), where, config.id, config.time, config.label)
    if len(found.series) < 3:
        raise DataError(
            f"{where}: it holds {len(found.series)} series; at least 3 are needed, for training,"
            " validation and test."
        )
    return found


def read_points(
    path: Path, where: str, id_column: str, time_column: str, label_column: str | None = None
) -> SeriesFile:
    """Read series in long form.

    Every row is a point: the id of its series, its time, and values, of which empty ones are
    missing. The rows of a series stand in the order of time.

    Args:
        path: of the file.
        where: it was named, with which messages begin.
        id_column: the name of the column of ids.
        time_column: of that of times.
        label_column: of that of classes, which stand in one row of a series at least; None: there
            is none. A file that is not to be learned from may lack it.

    Raises:
        DataError: the file is missing or empty, lacks a column, or a time or a value is wrong; with
            the line.
    """
    table = read_text_table(path, where, header=True)
    header = table.columns
    assert header is not None
    learned = where.startswith("data.")
    if not learned and label_column not in header:
        label_column = None
    for option, name in (("id", id_column), ("time", time_column), ("label", label_column)):
        if name is not None and name not in header:
            advice = f" Give data.{option}=NAME." if learned else ""
            raise DataError(
                f"{where}: there is no column {name}; the first line names the columns"
                f" {listed_names(header)}.{advice}"
            )
    at_id, at_time = header.index(id_column), header.index(time_column)
    at_label = None if label_column is None else header.index(label_column)
    at_values = [i for i in range(len(header)) if i not in (at_id, at_time, at_label)]
    if not at_values:
        raise DataError(f"{where}: there is no column of values beside {id_column}, {time_column}.")
    found: dict[str, tuple[list[float], list[list[float]]]] = {}
    labels: dict[str, str] = {}
    for number, row in zip(table.lines, table.rows, strict=True):
        line = f"{where}, line {number}"
        times, values = found.setdefault(row[at_id], ([], []))
        time = _number(table, row[at_time], f"{line}: the time", missing=False)
        if times and time <= times[-1]:
            what = "the same time" if time == times[-1] else "an earlier time"
            raise DataError(
                f"{line}: {what} as in a row before it ({id_column} {plain_text(row[at_id])},"
                f" {time_column} {plain_text(row[at_time])}); the rows of a series must be in the"
                " order of time, each time once."
            )
        label = "" if at_label is None else row[at_label]
        known = labels.setdefault(row[at_id], label) if label else label
        if label != known:
            raise DataError(
                f"{line}: {label_column} is {plain_text(label)}, and {plain_text(known)} in a row"
                f" before it of the same series ({id_column} {plain_text(row[at_id])}); a series"
                " has one class."
            )
        times.append(time)
        values.append(
            [_number(table, row[i], f"{line}: {plain_text(header[i])}") for i in at_values]
        )
    arrays = {name: (np.array(t), np.array(v)) for name, (t, v) in found.items()}
    return SeriesFile([header[i] for i in at_values], arrays, labels, table.read_as())


def _number(table: TextTable, cell: str, what: str, missing: bool = True) -> float:
    number = table.number(cell)
    if number is None or math.isinf(number) or (math.isnan(number) and not missing):
        given = f"'{shortened(plain_text(cell), 40)}'" if cell else "empty"
        raise DataError(f"{what} is {given}; it must be a finite number.")
    return number


class Shares(Protocol):
    """The settings that say how much is held out."""

    @property
    def validation(self) -> float:
        """Share of the series for validation."""
        ...

    @property
    def test(self) -> float:
        """Share of the series for the test."""
        ...


def split_series(
    series: Sequence[Whole], config: Shares, stream: torch.Generator
) -> list[list[Whole]]:
    """Training, validation and test series, at random.

    Raises:
        DataError: none is left for training.
    """
    order = torch.randperm(len(series), generator=stream).tolist()
    return in_three_parts([series[i] for i in order], config)


def in_three_parts(series: Sequence[Whole], config: Shares) -> list[list[Whole]]:
    """Training, validation and test series, in their order.

    Raises:
        DataError: none is left for training.
    """
    count = len(series)
    held = [max(1, round(share * count)) for share in (config.validation, config.test)]
    train = count - sum(held)
    if train < 1:
        raise DataError(
            f"data.validation={config.validation:g} data.test={config.test:g}: of {count} series"
            " these leave none for training; make them smaller."
        )
    bounds = (0, train, train + held[0], count)
    return [list(series[a:b]) for a, b in pairwise(bounds)]
