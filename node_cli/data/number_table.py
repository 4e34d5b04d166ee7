"""Tables of numbers: CSV and NumPy files of rows."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node_cli.data.npy_file import read_npy
from node_cli.errors import DataError


@dataclass(frozen=True)
class Table:
    """Rows of numbers with a name for each column.

    Attributes:
        values: ``[N, d]``, float64, all finite.
        columns: d names.
        named: whether the file names them.
    """

    values: NDArray[np.float64]
    columns: list[str]
    named: bool


def read_table(path: Path, option: str = "data.path") -> Table:
    """Read a ``.npy`` file of shape ``[N, d]``, or a CSV file with or without a header.

    Args:
        path: of the file.
        option: by which the user named it, for messages.

    Raises:
        DataError: it is missing or cut, or something in it is not a finite number; with the line.
    """
    where = f"{option}={path}" if option.startswith("data.") else f"{option} {path}"
    if not path.is_file():
        raise DataError(f"{where}: there is no such file.")
    try:
        return _read_npy(path, where) if path.suffix == ".npy" else _read_csv(path, where)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{where}: this file cannot be read ({error}).") from error


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
    return Table(values, _numbered(values.shape[1]), named=False)


def _read_csv(path: Path, where: str) -> Table:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if not lines:
        raise DataError(f"{where}: the file is empty.")
    _, first = lines[0]
    has_header = all(_number(cell) is None for cell in first)
    columns = [cell.strip() for cell in first] if has_header else _numbered(len(first))
    if has_header and (not all(columns) or len(set(columns)) < len(columns)):
        raise DataError(
            f"{where}: the first line names the columns {', '.join(columns)}; every column needs a"
            " name of its own."
        )
    body = lines[1:] if has_header else lines
    if not body:
        raise DataError(f"{where}: there is a header and no row below it.")
    values = np.empty((len(body), len(columns)))
    for place, (line, row) in enumerate(body):
        if len(row) != len(columns):
            raise DataError(
                f"{where}, line {line}: {len(row)} values where the first line has {len(columns)};"
                " values are separated by commas."
            )
        for column, cell in enumerate(row):
            number = _number(cell)
            if number is None or not math.isfinite(number):
                given = f"'{cell.strip()}'" if cell.strip() else "nothing"
                raise DataError(
                    f"{where}, line {line}: {given} in column {columns[column]}; every value must"
                    " be a finite number. Leave out such rows or columns, or fill them in."
                )
            values[place, column] = number
    return Table(values, columns, named=has_header)


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # Python reads 1_000 as a number
    except ValueError:
        return None


def _numbered(count: int) -> list[str]:
    return [f"x{number}" for number in range(1, count + 1)]
