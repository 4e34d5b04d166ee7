"""The tables of a report, as text in cells."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from node_cli.report.comparison import Comparison, short


def _megabytes(value: float) -> str:
    return f"{value / 1e6:.4g}"


# What is shown of the costs, with its title, and how a value is written.
_SHOWN: dict[str, tuple[str, Callable[[float], str]]] = {
    "error": ("test error", "{:.4g}".format),
    "nfe_forward": ("NFE-F", "{:.4g}".format),
    "nfe_backward": ("NFE-B", "{:.4g}".format),
    "saved_bytes": ("kept MB", _megabytes),
    "device_peak_bytes": ("device MB", _megabytes),
    "rss_peak_bytes": ("resident MB", _megabytes),
    "step_seconds": ("ms a step", lambda value: f"{1e3 * value:.4g}"),
    "seconds": ("seconds", "{:.4g}".format),
}


@dataclass(frozen=True)
class Cell:
    """What is shown, and the number by which it is sorted, if it is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class TextTable:
    """Titles and rows; ``numeric`` says which columns hold numbers."""

    titles: list[str]
    numeric: list[bool]
    rows: list[list[Cell]] = field(default_factory=list)


def group_table(comparison: Comparison, measured: Sequence[str] = ()) -> TextTable:
    """Mean and standard deviation of each group of runs that differ in the seed alone.

    Args:
        comparison: of the runs.
        measured: columns to show before the others, which are the costs and the metrics of the
            test set.
    """
    measured = [*measured, "error", *(v for v in comparison.values if v.endswith("/test"))]
    columns = _present(comparison, measured)
    names = short(comparison.keys)
    table = TextTable(
        [*names.values(), "runs", *(_title(c) for c in columns)],
        [*(_is_number(comparison, key) for key in comparison.keys), True, *[True] * len(columns)],
    )
    for row in comparison.groups().to_dict("records"):
        count = f"{row['runs']}"
        if row["finished"] != row["runs"]:
            count = f"{row['finished']} of {row['runs']}"
        cells = [_setting(row[key]) for key in comparison.keys]
        cells.append(Cell(count, float(row["finished"])))
        cells += [_measured(column, row[column], row[f"±{column}"]) for column in columns]
        table.rows.append(cells)
    return table


def run_table(comparison: Comparison) -> TextTable:
    """Every run, finished or not, by its path in the folder that holds all, with its command."""
    columns = _present(comparison, ())
    names = short(comparison.keys)
    within = os.path.commonpath([Path(folder).parent for folder in comparison.runs["folder"]])
    table = TextTable(
        ["run", *names.values(), "seed", "status", *(_title(c) for c in columns), "command"],
        [
            False,
            *(_is_number(comparison, key) for key in comparison.keys),
            True,
            False,
            *[True] * len(columns),
            False,
        ],
    )
    for row in comparison.runs.to_dict("records"):
        status = row["status"]
        folder = Path(row["folder"]).relative_to(within)
        cells = [Cell(str(folder)), *(_setting(row[key]) for key in comparison.keys)]
        cells.append(_setting(row.get("seed")))
        cells.append(Cell(f"{status}: {row['cause']}" if row["cause"] else status))
        cells += [_measured(column, row[column], float("nan")) for column in columns]
        cells.append(Cell(row["command"]))
        table.rows.append(cells)
    return table


def _present(comparison: Comparison, measured: Sequence[str]) -> list[str]:
    columns = list(dict.fromkeys([*measured, *_SHOWN]))
    return [c for c in columns if c in comparison.runs and comparison.runs[c].notna().any()]


def _title(column: str) -> str:
    return _SHOWN[column][0] if column in _SHOWN else column


def _measured(column: str, mean: float, spread: float) -> Cell:
    if pd.isna(mean):
        return Cell("-")
    shown = _SHOWN[column][1] if column in _SHOWN else "{:.4g}".format
    text = shown(mean)
    if not pd.isna(spread):
        text += f" ± {'0' if spread == 0 else f'{float(shown(spread)):.2g}'}"
    return Cell(text, float(mean))


def _setting(value: object) -> Cell:
    if value is None or pd.isna(value):
        return Cell("-")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(f"{value:g}", float(value))
    return Cell(str(value))


def _is_number(comparison: Comparison, key: str) -> bool:
    return bool(pd.api.types.is_numeric_dtype(comparison.runs[key]))
