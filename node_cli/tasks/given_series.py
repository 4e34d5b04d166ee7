"""The series of a user's file from which a trained run is to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from node_cli.data.series_file import Points, read_points
from node_cli.errors import DataError
from node_cli.schema.data import DataSchema
from node_cli.schema.series_file import SeriesFileConfig
from node_cli.tasks.prediction import Question


class SeriesColumns(NamedTuple):
    """The names of the columns of series in long form.

    Attributes:
        id: what tells series apart.
        time: of the times.
        values: of the D values.
        label: of the classes, which are told and not read; None: there are none.
    """

    id: str
    time: str
    values: Sequence[str]
    label: str | None = None


def columns_of(data: DataSchema, values: Sequence[str]) -> SeriesColumns:
    """As the run's own file has them; series that were made have ``id`` and ``time``.

    Args:
        data: the ``data`` group of the run.
        values: the names of the D values.
    """
    if isinstance(data, SeriesFileConfig):
        return SeriesColumns(data.id, data.time, values, data.label)
    return SeriesColumns("id", "time", values)


def given_series(question: Question, columns: SeriesColumns) -> dict[str, Points]:
    """The points of each series of the user's file, by its id.

    Args:
        question: of the user.
        columns: that the file must have; the values in any order.

    Returns:
        Times and values in the units of the file, the values in the order of ``columns``.

    Raises:
        DataError: the file cannot be used, or has other columns.
    """
    where = f"INPUT {question.file}"
    found, series, _, _ = read_points(question.file, where, columns.id, columns.time, columns.label)
    if sorted(found) != sorted(columns.values):
        raise DataError(
            f"{where}: beside {columns.id} and {columns.time} it has the columns"
            f" {', '.join(found)}; the run's data have {', '.join(columns.values)}."
        )
    order = [found.index(name) for name in columns.values]
    return {name: (times, values[:, order]) for name, (times, values) in series.items()}


def refuse_missing(given: Mapping[str, Points], columns: SeriesColumns) -> None:
    """For a model that was trained without missing values.

    Raises:
        DataError: one is missing.
    """
    for name, (times, values) in given.items():
        missing = np.argwhere(np.isnan(values))
        if len(missing):
            row, column = missing[0]
            raise DataError(
                f"INPUT: {columns.values[column]} is missing at {columns.time} {times[row]:.15g} of"
                f" {columns.id} {name}; the run was trained on series without missing values, and"
                " does not know what they mean. Leave such rows out."
            )
