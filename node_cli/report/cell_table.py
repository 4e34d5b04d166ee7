"""The end of a sweep, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.table import Table

from node_cli.report.record import Record


class _Column(NamedTuple):
    title: str
    name: str
    shown: Callable[[float], str]


_COLUMNS = (
    _Column("test error", "error", "{:.4g}".format),
    _Column("NFE-F", "nfe_forward", "{:.1f}".format),
    _Column("NFE-B", "nfe_backward", "{:.1f}".format),
    _Column("kept MB", "saved_bytes", lambda value: f"{value / 1e6:.1f}"),
    _Column("seconds", "seconds", "{:.1f}".format),
)


def cell_table(records: Sequence[Record]) -> Table:
    """A row for each cell: what differs, how it ended, what it reached and what it cost.

    Args:
        records: of the cells; columns that none of them has are left out.
    """
    columns = [column for column in _COLUMNS if any(column.name in r.values for r in records)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("cell", justify="right")
    table.add_column("")
    table.add_column("status")
    for column in columns:
        table.add_column(column.title, justify="right")
    for record in records:
        numbers = [
            column.shown(record.values[column.name]) if column.name in record.values else "-"
            for column in columns
        ]
        style = None if record.status == "finished" else "red"
        number, what = cell_name(record)
        table.add_row(number, what, record.status, *numbers, style=style)
    return table


def cell_name(record: Record) -> tuple[str, str]:
    """The number of a cell, from 1, and what differs in it, from the name of its folder."""
    number, _, what = record.folder.name.partition("_")
    return str(int(number) + 1) if number.isdecimal() else number, what.replace(",", " ")
