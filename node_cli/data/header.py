"""Whether the first line of a table names its columns."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

_FAR = 10.0  # times the range of a column, beyond which its first value is none of it
_FEWEST = 3
_WHOLE = re.compile(r"\d+")


def looks_like_a_header(
    numbers: Sequence[Sequence[float | None]], rows: Sequence[Sequence[str]]
) -> bool:
    """Whether the first row names the columns, and is none of the data.

    It does where none of its cells is a number. Where all of them are whole numbers, as pandas
    writes the names of columns that nobody has named, or as years stand above a table, it does
    where they are far from all others of their columns, or where they count (``0,1,2``) and the
    rows below hold other than whole numbers.

    Args:
        numbers: those in the cells; not a number where one is missing, None where there is another
            text.
        rows: the cells.
    """
    first = numbers[0]
    if all(number is None or math.isnan(number) for number in first):
        return True
    named = rows[0][1:] if not rows[0][0] and len(first) > 1 else rows[0]  # beside an index
    if len(rows) <= _FEWEST or len(named) < 2 or not all(_WHOLE.fullmatch(cell) for cell in named):
        return False
    offset = len(first) - len(named)
    below = np.array(
        [[math.nan if n is None else n for n in row[offset:]] for row in numbers[1:]], np.float64
    )
    return _counts([int(cell) for cell in named], below) or _is_far(
        np.array(first[offset:], np.float64), below
    )


def _counts(named: Sequence[int], below: np.ndarray) -> bool:
    consecutive = all(b - a == 1 for a, b in pairwise(named))
    if not consecutive:
        return False
    finite = below[np.isfinite(below)]
    return bool((finite != np.round(finite)).any())


def _is_far(first: np.ndarray, below: np.ndarray) -> bool:
    if not np.isfinite(below).any(axis=0).all():
        return False
    low = np.where(np.isfinite(below), below, np.inf).min(axis=0)
    high = np.where(np.isfinite(below), below, -np.inf).max(axis=0)
    middle, spread = (low + high) / 2, high - low
    return bool((np.abs(first - middle) > _FAR * spread).all())
