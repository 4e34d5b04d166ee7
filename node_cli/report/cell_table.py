"""The end of a sweep, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from node_cli.plain_text import plain_text
from node_cli.report.columns import ERROR, column
from node_cli.report.record import Record, metrics_of

_SHOWN = (ERROR, "nfe_forward", "nfe_backward", "saved_bytes", "seconds")


def cell_table(records: Sequence[Record]) -> Table:
    """A row for each cell: what differs, how it ended, what it reached and what it cost.

    Args:
        records: of the cells; columns that none of them has are left out.
    """
    metrics = metrics_of(records)
    shown = [column(name, metrics) for name in _SHOWN if any(name in r.values for r in records)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("cell", justify="right")
    table.add_column("")
    table.add_column("status")
    for one in shown:
        table.add_column(Text(one.title), justify="right")
    for record in records:
        numbers = [
            one.shown(record.values[one.name]) if one.name in record.values else "-"
            for one in shown
        ]
        style = None if record.status == "finished" else "red"
        texts = [*cell_name(record.folder), record.status, *numbers]
        table.add_row(*map(Text, texts), style=style)
    return table


def cell_name(folder: Path) -> tuple[str, str]:
    """The number of a cell, from 1, and what differs in it, from the name of its folder."""
    number, _, what = plain_text(folder.name).partition("_")
    return str(int(number) + 1) if number.isdecimal() else number, what.replace(",", " ")
