"""Tables of numbers: CSV and NumPy files of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node_cli.data.npy_file import read_npy
from node_cli.data.text_table import TextTable, check_regular, read_text_table
from node_cli.errors import DataError
from node_cli.plain_text import plain_text, shortened


@dataclass(frozen=True)
class Table:
    """Rows of numbers with a name for each column.

    Attributes:
        values: ``[N, d]``, float64, all finite.
        columns: d names.
        named: whether the file names them.
        read_as: what was read, in a few words.
    """

    values: NDArray[np.float64]
    columns: list[str]
    named: bool
    read_as: str = ""


def read_table(path: Path, option: str = "data.path", header: bool | None = None) -> Table:
    """Read a ``.npy`` file of shape ``[N, d]``, or a text file as ``read_text_table`` reads it.

    Args:
        path: of the file.
        option: by which the user named it, for messages.
        header: whether the first line of a text file names the columns; None: found out.

    Raises:
        DataError: it is missing or cut, or something in it is not a finite number; with the line.
    """
    where = f"{option}={path}" if option.startswith("data.") else f"{option} {path}"
    if path.suffix != ".npy":
        return _read_csv(path, where, header)
    check_regular(path, where)
    try:
        return _read_npy(path, where)
    except OSError as error:
        raise DataError(f"{where}: this file cannot be read ({error.strerror}).") from error


def _read_npy(path: Path, where: str) -> Table:
    values: NDArray[Any] = read_npy(path, where)
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(
            f"{where}: its shape is {list(values.shape)}; it must be [rows, columns], with at least"
            " one of each."
        )
    values = values.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{where}: row {row}, column {column} (from 0) is {values[row, column]}; every value"
            " must be a finite number."
        )
    rows, width = values.shape
    return Table(values, _numbered(width), False, f"{rows:,} rows · {width} columns · .npy")


def _read_csv(path: Path, where: str, header: bool | None) -> Table:
    table = read_text_table(path, where, header)
    columns = table.columns or _numbered(table.width)
    values = np.empty((len(table.rows), table.width))
    for place, row in enumerate(table.rows):
        for column, cell in enumerate(row):
            number = table.number(cell)
            if number is None or not math.isfinite(number):
                raise _no_number(table, place, column, columns[column])
            values[place, column] = number
    return Table(values, columns, table.columns is not None, table.read_as())


def _no_number(table: TextTable, place: int, column: int, name: str) -> DataError:
    cell = table.rows[place][column]
    given = f"'{shortened(plain_text(cell), 40)}'" if cell else "nothing"
    where = f"{table.where}, line {table.lines[place]}: {given} in column {plain_text(name)}"
    if place == 0 and table.columns is None and table.where.startswith("data."):
        return DataError(
            f"{where}; every value must be a finite number. Where the first line names the columns,"
            " say so by data.header=true."
        )
    return DataError(
        f"{where}; every value must be a finite number. Leave out such rows or columns, or fill"
        " them in."
    )


def _numbered(count: int) -> list[str]:
    return [f"x{number}" for number in range(1, count + 1)]
