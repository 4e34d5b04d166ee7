"""Times to predict at, in a file."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from node_cli.data.npy_file import read_npy
from node_cli.errors import DataError


def read_times(path: Path, option: str) -> NDArray[np.float64] | Mapping[str, NDArray[np.float64]]:
    """Read times: a column of them, or two columns of ids and times; a header may stand above.

    Args:
        path: of a ``.npy`` file of shape ``[P]``, or of a CSV file.
        option: by which the user named it, for messages.

    Returns:
        Increasing times ``[P]``, or those of each id.

    Raises:
        DataError: it is missing or empty, or its times are no numbers or not in order.
    """
    where = f"{option} {path}"
    if not path.is_file():
        raise DataError(f"{where}: there is no such file.")
    try:
        if path.suffix == ".npy":
            values = np.asarray(read_npy(path, where), np.float64)
            if values.ndim != 1:
                raise DataError(f"{where}: its shape is {list(values.shape)}; it must be [times].")
            return increasing(values.tolist(), where)
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{where}: this file cannot be read ({error}).") from error
    widths = {len(row) for row in rows}
    if not widths <= {1} and not widths <= {2}:
        raise DataError(
            f"{where}: its lines have {', '.join(map(str, sorted(widths)))} values; give a column"
            " of times, or two columns, of ids and times."
        )
    if rows and math.isnan(_number(rows[0][-1])):
        rows = rows[1:]  # the header
    if widths <= {1}:
        return increasing([_number(row[0]) for row in rows], where)
    found: dict[str, list[float]] = {}
    for name, cell in rows:
        found.setdefault(name.strip(), []).append(_number(cell))
    if not found:
        raise DataError(f"{where}: there is no time in it.")
    return {name: increasing(times, f"{where}, id {name}") for name, times in found.items()}


def increasing(times: Sequence[float], where: str) -> NDArray[np.float64]:
    """Times, float64 ``[P]``, which must be in order, each once.

    Args:
        times: in the units of the user's data.
        where: they were given, with which messages begin.

    Raises:
        DataError: there are none, or they are no finite numbers or not in order.
    """
    if not len(times):
        raise DataError(f"{where}: there is no time in it.")
    array = np.array(times)
    if not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        raise DataError(f"{where}: time {place + 1} is no finite number.")
    late = np.flatnonzero(np.diff(array) <= 0)
    if len(late):
        before, after = array[late[0]], array[late[0] + 1]
        raise DataError(
            f"{where}: {after:.15g} does not come after {before:.15g}; times must be in order, each"
            " once."
        )
    return array


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
