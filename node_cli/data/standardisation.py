"""Mean and deviation of columns, by which values are standardised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node_cli.errors import DataError
from node_cli.plain_text import plain_text

# Of the largest number of a column: what varies less is constant but for rounding.
_ROUNDING = 1e-12


def mean_and_deviation(
    values: NDArray[np.float64], columns: Sequence[str], where: str, examples: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each column, over what is known of it.

    Args:
        values: ``[N, D]``, not numbers where they are missing.
        columns: their names.
        where: they are from, with which messages begin.
        examples: what they are of, in a message, such as ``training rows``.

    Returns:
        Means ``[D]`` and standard deviations ``[D]``, which are positive.

    Raises:
        DataError: a column is empty, is constant up to rounding, or has numbers that are too large
            to be squared.
    """
    counts, mean, deviation, largest = _measured(values)
    for name, count, spread, size in zip(columns, counts, deviation, largest, strict=True):
        column = f"{where}: the column {plain_text(name)}"
        if not count:
            raise DataError(f"{column} is empty in the {examples}; leave it out of the file.")
        if not np.isfinite(spread):
            raise DataError(f"{column} has numbers that are too large; rescale it.")
        if not spread > _ROUNDING * size:
            raise DataError(
                f"{column} is constant in the {examples}, so there is nothing to learn of it;"
                " leave it out of the file."
            )
    return mean, deviation


def mean_and_deviation_where_known(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same of data that are as they are: 0 and 1 of what is empty, 1 of what is constant.

    Args:
        values: ``[N, D]``, not numbers where they are missing.
    """
    counts, mean, deviation, largest = _measured(values)
    varies = (counts > 0) & (deviation > _ROUNDING * largest)
    return np.where(counts > 0, mean, 0.0), np.where(varies, deviation, 1.0)


def _measured(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each column: how many numbers it has, their mean and deviation, and the largest size."""
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / counts
        squares = np.where(known, filled - mean, 0.0) ** 2
        deviation: NDArray[np.float64] = np.sqrt(squares.sum(axis=0) / counts)
    largest = np.abs(filled).max(axis=0, initial=0.0)
    return counts, mean, deviation, largest
