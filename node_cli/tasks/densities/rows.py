"""Tables of numbers: CSV and NumPy files of points."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.errors import DataError
from node_cli.tasks.densities.stream import Stream

# What NumPy raises for headers that it has not written.
_MALFORMED = (
    *(ValueError, EOFError, TypeError, KeyError, SyntaxError, TokenError),
    *(ArithmeticError, MemoryError, RecursionError),
)


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


@dataclass(frozen=True)
class Split:
    """A table in three parts, and what standardises it.

    Attributes:
        train: ``[n, d]``, float64, as are the others: single precision would round away a column
            that varies little around a large number.
        validation: other rows.
        test: the rest.
        mean: of the training rows, ``[d]``.
        std: their standard deviation, ``[d]``, positive.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    mean: Tensor
    std: Tensor


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


def split_table(table: Table, validation: float, test: float, seed: int) -> Split:
    """Shuffle and split the rows, and measure the training part.

    Args:
        table: all rows.
        validation: share of the rows, between 0 and 1.
        test: likewise.
        seed: of the shuffle.

    Raises:
        DataError: a part has no row, or a column is constant in the training rows.
    """
    rows = len(table.values)
    order = torch.randperm(rows, generator=random_stream(seed, Stream.TABLE_SPLIT)).numpy()
    held = [max(1, round(share * rows)) for share in (validation, test)]
    if rows - sum(held) < 2:
        raise DataError(
            f"data.validation={validation:g} data.test={test:g}: of {rows} rows too few are left"
            " for training; use smaller shares or a larger file."
        )
    parts = np.split(table.values[order], np.cumsum(held))
    validated, tested, train = parts
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = train.mean(axis=0), train.std(axis=0)
    largest = np.abs(train).max(axis=0)
    for name, spread, size in zip(table.columns, std, largest, strict=True):
        if not math.isfinite(spread):
            raise DataError(f"data.path: the numbers of column {name} are too large; rescale it.")
        if not spread > 1e-12 * size:
            raise DataError(
                f"data.path: the column {name} is constant in the training rows, so it has no"
                " density; leave it out of the file."
            )
    return Split(*map(torch.from_numpy, (train, validated, tested, mean, std)))


def _read_npy(path: Path, where: str) -> Table:
    try:
        # Mapped, so that the shape that the header claims is held against the file's size first.
        with np.errstate(over="ignore"):
            values: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except _MALFORMED as error:
        raise DataError(f"{where}: this is no whole .npy file of numbers ({error}).") from error
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(
            f"{where}: its shape is {list(values.shape)}; it must be [rows, columns], with at least"
            " one of each."
        )
    if values.dtype.kind not in "fiub":
        raise DataError(f"{where}: it holds {values.dtype}; it must hold real numbers.")
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
