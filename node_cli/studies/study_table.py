"""A study's table, as CSV and as Markdown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from node_cli.run_folder.writing import write_text
from node_cli.studies.subject import Row


def write_table(folder: Path, name: str, rows: Sequence[Row]) -> None:
    """Write ``<name>.csv``, in full precision, and ``<name>.md``, for readers.

    Raises:
        OSError: a file cannot be written.
    """
    columns = list(rows[0])
    full = StringIO(newline="")
    writer = csv.DictWriter(full, columns)
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / f"{name}.csv", full.getvalue())
    lines = [columns, ["---"] * len(columns), *([shown(row[c]) for c in columns] for row in rows)]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    write_text(folder / f"{name}.md", text)


def shown(value: str | int | float | None) -> str:
    """A value in few digits."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
