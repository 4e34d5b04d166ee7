"""Tables in text files as people have them: separators, headers, decimal commas, index columns."""

from __future__ import annotations

import csv
import math
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from node_cli.data.header import looks_like_a_header
from node_cli.data.separator import Separator, separator_of
from node_cli.errors import DataError
from node_cli.plain_text import plain_text, shortened

_HEADER_ROWS = 1_000  # that tell whether the first is a header
_MISSING = ("", "nan", "na", "n/a", "null", "none")
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
_NAMELESS = re.compile(r"(Unnamed: \d+)?")  # what pandas makes of a column without a name
_WHOLE = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class TextTable:
    """The cells of a text file.

    Attributes:
        where: it was named, with which messages begin.
        columns: the names of the columns; None: the file has no header.
        rows: cells without blanks around them, as many in each as there are columns.
        lines: the number of each row's line in the file, from 1.
        separator: between the cells.
        decimal_comma: numbers have a comma where others have a point.
        left_out: what was not taken, in words; empty: nothing.
    """

    where: str
    columns: list[str] | None
    rows: list[list[str]]
    lines: list[int]
    separator: Separator
    decimal_comma: bool
    left_out: str

    @property
    def width(self) -> int:
        """Cells of a row."""
        return len(self.rows[0])

    def number(self, cell: str) -> float | None:
        """The number in a cell; not a number where it is missing, None where it is something else.

        Infinities are numbers.
        """
        if "_" in cell:  # Python reads 1_000 as a number
            return None
        try:
            return float(cell.replace(",", ".") if self.decimal_comma else cell)
        except ValueError:
            return math.nan if cell.lower() in _MISSING else None

    def read_as(self) -> str:
        """What was read, in a few words."""
        named = "no header" if self.columns is None else f"header {listed_names(self.columns)}"
        parts = [f"{len(self.rows):,} rows", f"{self.width} columns", named]
        if self.separator.name != "commas":
            parts.append(f"separated by {self.separator.name}")
        if self.decimal_comma:
            parts.append("decimal commas")
        if self.left_out:
            parts.append(self.left_out)
        return " · ".join(parts)


def read_text_table(path: Path, where: str, header: bool | None = None) -> TextTable:
    """Read the cells of a table.

    Cells are separated by commas, semicolons, tabs or blanks, whichever fits. A first column
    without a name that counts the rows, as pandas writes it, is left out, and so is a last one that
    is empty throughout.

    Args:
        path: of the file.
        where: it was named, with which messages begin.
        header: whether the first line names the columns; None: found out, see
            ``looks_like_a_header``.

    Raises:
        DataError: there is no such file, it is no text, or its lines do not have as many cells
            each; with the line.
    """
    check_regular(path, where)
    separator = separator_of(_first_lines(path, where))
    lines, rows = [], []
    for line, cells in _cells(path, where, separator):
        if any(cells):
            lines.append(line)
            rows.append(cells)
    if not rows:
        raise DataError(f"{where}: the file is empty.")
    if rows[0][0].startswith("#"):  # as NumPy's savetxt begins a header
        rows[0][0] = rows[0][0].removeprefix("#").lstrip()
        if separator.name == "blanks" and not rows[0][0]:
            rows[0] = rows[0][1:]
    _check_widths(where, lines, rows, separator)
    rows, left_out = _without_empty_end(rows)
    decimal_comma = _has_decimal_commas(where, rows, lines, separator)
    table = TextTable(where, None, rows, lines, separator, decimal_comma, left_out)
    if header is None:
        beginning = rows[:_HEADER_ROWS]
        numbers = [[table.number(cell) for cell in row] for row in beginning]
        header = looks_like_a_header(numbers, beginning)
    if not header:
        return table
    return _with_header(table)


def check_regular(path: Path, where: str) -> None:
    """Refuse what is no plain file.

    Raises:
        DataError: it is missing, a folder, or a pipe or device, which could not be read twice.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None)
        there = "there is no such file" if isinstance(error, FileNotFoundError) else reason
        raise DataError(f"{where}: {there or 'this is no name of a file'}.") from error
    if stat.S_ISDIR(mode):
        raise DataError(f"{where}: this is a folder; give a file.")
    if not stat.S_ISREG(mode):
        raise DataError(
            f"{where}: this is a pipe or a device, which can be read only once; write what comes"
            " from it to a file, and give that."
        )


def listed_names(names: Sequence[str], most: int = 6) -> str:
    """Names in a row, the first ones of many."""
    shown = [shortened(plain_text(name), 40) or "''" for name in names[:most]]
    return ", ".join(shown) + (f", ... ({len(names)})" if len(names) > most else "")


def _first_lines(path: Path, where: str, most: int = 50) -> list[str]:
    found: list[str] = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                if line.strip():
                    found.append(line.rstrip("\r\n"))
                if len(found) == most:
                    break
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(where, error) from error
    return found


def _cells(path: Path, where: str, separator: Separator) -> Iterator[tuple[int, list[str]]]:
    """The number of each line, and its cells without blanks around them."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            if separator.character is None:
                for number, line in enumerate(file, start=1):
                    yield number, line.split()
                return
            reader = csv.reader(file, delimiter=separator.character, strict=True)
            for row in reader:
                yield reader.line_num, [cell.strip() for cell in row]
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(where, error) from error
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {_about(error)}.") from error


def _about(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text:
        limit = f"{csv.field_size_limit():,}"
        return f"a value of more than {limit} characters; is a quotation mark not closed?"
    if "unexpected end" in text:
        return "a quotation mark is not closed"
    if "NUL" in text:
        return "it holds a zero byte, so that it is no text"
    return text


def unreadable(where: str, error: OSError | UnicodeDecodeError) -> DataError:
    """The message about a file that cannot be read as text."""
    if isinstance(error, UnicodeDecodeError):
        encoded = "UTF-16" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else "something else"
        return DataError(f"{where}: this is no UTF-8 text but {encoded}; save it as UTF-8.")
    return DataError(f"{where}: this file cannot be read ({error.strerror or error}).")


def _check_widths(
    where: str, lines: Sequence[int], rows: Sequence[Sequence[str]], separator: Separator
) -> None:
    width = len(rows[0])
    for line, row in zip(lines, rows, strict=True):
        if len(row) != width:
            raise DataError(
                f"{where}, line {line}: {len(row)} values where the first line has {width};"
                f" values are separated by {separator.name} here."
            )


def _without_empty_end(rows: list[list[str]]) -> tuple[list[list[str]], str]:
    if len(rows[0]) < 2 or any(row[-1] for row in rows):
        return rows, ""
    return [row[:-1] for row in rows], "an empty last column left out"


def _has_decimal_commas(
    where: str, rows: Sequence[Sequence[str]], lines: Sequence[int], separator: Separator
) -> bool:
    """Whether numbers are written as 1,5.

    Raises:
        DataError: some are, and others are written as 1.5, so that 1,500 could mean two numbers.
    """
    if separator.character == ",":
        return False
    with_comma = with_point = None
    for line, row in zip(lines, rows, strict=True):
        for cell in row:
            if with_comma is None and _COMMA_NUMBER.fullmatch(cell):
                with_comma = (line, cell)
            if with_point is None and _POINT_NUMBER.fullmatch(cell):
                with_point = (line, cell)
    if with_comma and with_point:
        raise DataError(
            f"{where}: line {with_comma[0]} has {with_comma[1]} and line {with_point[0]}"
            f" {with_point[1]}; write all numbers with a decimal point, and none with commas."
        )
    return with_comma is not None


def _with_header(table: TextTable) -> TextTable:
    columns, rows = table.rows[0], table.rows[1:]
    if not rows:
        raise DataError(f"{table.where}: there is a header and no row below it.")
    left_out = table.left_out
    if _NAMELESS.fullmatch(columns[0]) and len(columns) > 1 and _counts(row[0] for row in rows):
        columns, rows = columns[1:], [row[1:] for row in rows]
        left_out = ", ".join(filter(None, (left_out, "a nameless column of row numbers left out")))
    nameless = [i for i, name in enumerate(columns, start=1) if not name]
    if nameless:
        raise DataError(
            f"{table.where}: the first line names the columns {listed_names(columns)}, and column"
            f" {nameless[0]} has no name; every column needs one of its own."
        )
    twice = [name for i, name in enumerate(columns) if name in columns[:i]]
    if twice:
        raise DataError(
            f"{table.where}: the first line names the columns {listed_names(columns)}, of which"
            f" {plain_text(twice[0])} stands there twice; every column needs a name of its own."
        )
    return TextTable(
        table.where, columns, rows, table.lines[1:], table.separator, table.decimal_comma, left_out
    )


def _counts(cells: Iterator[str]) -> bool:
    """Whether they are increasing whole numbers."""
    last = None
    for cell in cells:
        if not _WHOLE.fullmatch(cell) or (last is not None and int(cell) <= last):
            return False
        last = int(cell)
    return True
