"""The tables of a report, as text in entries."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from node_cli.plain_text import one_line, plain_text
from node_cli.report.columns import COSTS, ERROR, Column, column
from node_cli.report.comparison import Comparison, is_number, short

# What an entry of ``group_table`` is.
MEANS = "Mean ± standard deviation (standard error of the mean) over the seeds"
# The sum of NFE-F and NFE-B needs no column beside them.
_COSTS = [cost.name for cost in COSTS if cost.name != "nfe"]


@dataclass(frozen=True)
class Entry:
    """What is shown, and the number by which it is sorted, if it is one.

    The text can be shown anywhere; each output escapes what it obeys itself, such as HTML.
    """

    text: str
    number: float | None = None


@dataclass(frozen=True)
class TextTable:
    """Titles and rows; ``numeric`` says which columns hold numbers."""

    titles: list[str]
    numeric: list[bool]
    rows: list[list[Entry]] = field(default_factory=list)


def group_table(comparison: Comparison, y: str) -> TextTable:
    """Means and their spread, see ``MEANS``, of each group of runs that differ in the seed alone.

    Args:
        comparison: of the runs.
        y: the value that stands first; then come the error, the costs and the test set's metrics.
    """
    metrics = [value for value in comparison.values if value.endswith("/test")]
    columns = _present(comparison, [y, ERROR, *_COSTS, *metrics])
    table = TextTable(
        [*short(comparison.keys).values(), "runs", *(c.title for c in columns)],
        [*_numeric(comparison), True, *[True] * len(columns)],
    )
    for row in comparison.groups().to_dict("records"):
        runs, finished = row["runs"], row["finished"]
        entries = [_setting(row[key]) for key in comparison.keys]
        count = f"{runs}" if runs == finished else f"{finished} of {runs}"
        entries.append(Entry(count, float(finished)))
        entries += [
            _measured(c, row[c.name], row[f"±{c.name}"], row[f"{c.name} se"]) for c in columns
        ]
        table.rows.append(entries)
    return table


def run_table(comparison: Comparison) -> TextTable:
    """Every run, finished or not, by its path in the folder that holds all, with its command."""
    columns = _present(comparison, [ERROR, *_COSTS])
    within = os.path.commonpath([Path(folder).parent for folder in comparison.runs["folder"]])
    names = short(comparison.keys).values()
    table = TextTable(
        ["run", *names, "seed", "status", *(c.title for c in columns), "command"],
        [False, *_numeric(comparison), True, False, *[True] * len(columns), False],
    )
    for row in comparison.runs.to_dict("records"):
        status, cause = row["status"], row["cause"]
        entries = [Entry(one_line(str(Path(row["folder"]).relative_to(within))))]
        entries += [_setting(row[key]) for key in comparison.keys]
        entries += [
            _setting(row.get("seed")),
            Entry(one_line(f"{status}: {cause}" if cause else status)),
        ]
        entries += [_measured(c, row[c.name]) for c in columns]
        entries.append(Entry(plain_text(row["command"])))
        table.rows.append(entries)
    return table


def _present(comparison: Comparison, names: Sequence[str]) -> list[Column]:
    return [
        column(name, comparison.metrics)
        for name in dict.fromkeys(names)
        if name in comparison.runs and comparison.runs[name].notna().any()
    ]


def _measured(column: Column, mean: float, *spreads: float) -> Entry:
    """The mean, and its standard deviation and standard error where they are known."""
    if pd.isna(mean):
        return Entry("-")
    text = column.shown(mean)
    if spreads and not any(map(pd.isna, spreads)):
        deviation, error = (f"{float(column.shown(spread)):.2g}" for spread in spreads)
        text += f" ± {deviation} ({error})"
    return Entry(text, float(mean))


def _setting(value: object) -> Entry:
    if value is None or pd.isna(value):
        return Entry("-")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Entry(f"{value:g}", float(value))
    return Entry(one_line(str(value)))


def _numeric(comparison: Comparison) -> list[bool]:
    return [is_number(comparison.runs[key]) for key in comparison.keys]
