"""What separates the cells of a text file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import NamedTuple


class Separator(NamedTuple):
    """A separator of cells.

    Attributes:
        character: None: any number of blanks and tabs.
        name: in a sentence.
    """

    character: str | None
    name: str


# In the order in which they are tried: commas may be decimal ones, and blanks stand in many texts.
TABS, SEMICOLONS = Separator("\t", "tabs"), Separator(";", "semicolons")
COMMAS, BLANKS = Separator(",", "commas"), Separator(None, "blanks")
_ALL = (TABS, SEMICOLONS, COMMAS, BLANKS)


def separator_of(lines: Sequence[str]) -> Separator:
    """The separator that gives all lines the same number of cells, more than one.

    Where none does, the one that parts the first line is taken, so that a message can name the line
    that is not like it; commas where there is none, as in a file of one column.

    Args:
        lines: the first lines of a file, without empty ones.
    """
    for separator in _ALL:
        counts = {_count(line, separator) for line in lines}
        if len(counts) == 1 and min(counts) > 1:
            return BLANKS if separator is COMMAS and _commas_are_decimal(lines) else separator
    for separator in (TABS, SEMICOLONS, COMMAS):
        if lines and _count(lines[0], separator) > 1:
            return separator
    return COMMAS


def _commas_are_decimal(lines: Sequence[str]) -> bool:
    """Whether blanks part the lines as well, and no comma stands beside one: 1,5 2,5."""
    parted = [line.removeprefix("#").split() for line in lines]
    if len({len(cells) for cells in parted}) > 1 or len(parted[0]) == 1:
        return False
    return not any(cell.startswith(",") or cell.endswith(",") for row in parted for cell in row)


def _count(line: str, separator: Separator) -> int:
    if separator.character is None:
        return len(line.removeprefix("#").split())
    try:
        return len(next(csv.reader([line], delimiter=separator.character), []))
    except csv.Error:
        return 1
