"""A study's table, as CSV and as Markdown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from node_cli.studies.subject import Row


def write_table(folder: Path, name: str, rows: Sequence[Row]) -> None:
    """Write ``<name>.csv``, in full precision, and ``<name>.md``, for readers.

    Raises:
        OSError: a file cannot be written.
    """
    columns = list(rows[0])
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    lines = [columns, ["---"] * len(columns), *([shown(row[c]) for c in columns] for row in rows)]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def shown(value: str | int | float | None) -> str:
    """A value in few digits."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
