"""The figures of a report: which there are, and what is on their axes."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from node_cli.figures.canvas import lay_out
from node_cli.figures.comparison import Line, View, bars, dots, views
from node_cli.plain_text import one_line, shortened
from node_cli.report.columns import ERROR, column
from node_cli.report.comparison import WORK, Comparison, is_number, short
from node_cli.report.learning_curves import curve

_MOST_LINES = 10
_MOST_DOTS = 40
_LONGEST_VALUE = 60  # characters of a setting in a label


@dataclass(frozen=True)
class Chart:
    """A figure with its file name, without a suffix, and what it says."""

    name: str
    figure: Figure
    caption: str

    def __post_init__(self) -> None:
        lay_out(self.figure)

    @cached_property
    def svg(self) -> bytes:
        """The figure as an SVG document."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue()


@dataclass(frozen=True)
class ChosenAxes:
    """What is to be seen.

    Attributes:
        x: the column across; None where nothing that is a number differs.
        y: the column up, a value.
        by: the setting whose values become lines; None for one line.
    """

    x: str | None
    y: str
    by: str | None


def default_axes(
    comparison: Comparison, x: str | None, y: str | None, by: str | None
) -> ChosenAxes:
    """The axes, with what suits a tolerance sweep where nothing is asked for.

    Args:
        comparison: of the runs.
        x: a column, or None: the tolerance, or another number that differs.
        y: a column, or None: the error.
        by: a column, or None: the solver, or another name that differs.
    """
    keys = comparison.keys
    numbers = [key for key in keys if is_number(comparison.runs[key])]
    x = x or next((key for key in (*WORK, *numbers) if key in numbers), None)
    names = [key for key in keys if key.endswith((".name", ".mode")) and key != x]
    others = [key for key in keys if key not in (x, *numbers)]
    first = ["solver.name", "adjoint.mode", "model.name"]
    by = by or next((key for key in (*first, *names, *others) if key in keys and key != x), None)
    return ChosenAxes(x, y or ERROR, by)


def charts(comparison: Comparison, axes: ChosenAxes) -> Iterator[Chart]:
    """All figures for which the runs have data; all runs are of one task and metric."""
    if comparison.finished.empty:
        return
    yield from _asked_for(comparison, axes)
    yield from _work_precision(comparison, axes)
    yield from _nfe_against_tolerance(comparison, axes)
    yield from _memory(comparison)
    yield from _pareto(comparison, axes)
    yield from _curves(comparison)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The points that no other beats in both numbers, from the left; both are to be small."""
    order = sorted(range(len(points)), key=lambda i: points[i])
    front: list[int] = []
    for i in order:
        if not any(math.isnan(v) for v in points[i]) and (
            not front or points[i][1] < points[front[-1]][1]
        ):
            front.append(i)
    return front


def label(row: pd.Series[object], keys: Sequence[str]) -> str:
    """A group in words: ``solver=dopri5 rtol=0.001``."""
    names = short(keys)
    shown = [f"{names[key]}={_shown(row[key])}" for key in keys if not pd.isna(row[key])]
    return " ".join(shown) or "all runs"


def _asked_for(comparison: Comparison, axes: ChosenAxes) -> Iterator[Chart]:
    if not _has(comparison, axes.y):
        return
    ylabel = _axis(axes.y, comparison)
    if axes.x is None or not is_number(comparison.runs[axes.x]):
        keys = comparison.keys if axes.x is None else [axes.x, *([axes.by] if axes.by else [])]
        keys = list(dict.fromkeys(keys))
        groups = _finite_groups(comparison, keys, axes.y).sort_values(axes.y)
        shown = groups.head(_MOST_DOTS)
        values, spreads = list(shown[axes.y]), list(shown[f"±{axes.y}"])
        names = [label(row, keys) for _, row in shown.iterrows()]
        less = f", the first {_MOST_DOTS} of {len(groups)}" if len(groups) > len(shown) else ""
        figure = dots(names, values, spreads, ylabel, f"{ylabel}{less}")
        yield Chart("comparison", figure, f"{ylabel}: mean and standard deviation{less}")
        return
    xlabel = _axis(axes.x, comparison)
    title = f"{ylabel} against {xlabel}"
    if axes.x in comparison.values:
        view = _against_a_value(comparison, axes.x, axes.y, axes.by)
        yield Chart("comparison", views([view], title), f"{title}: a point for each setting")
        return
    lines, over = _lines(comparison, axes.x, axes.y, axes.by)
    view = View(lines, xlabel, ylabel, log=_log(comparison.runs[axes.x]) + "y")
    caption = f"{title}: mean and standard deviation over {over}"
    yield Chart("comparison", views([view], title), caption)


def _work_precision(comparison: Comparison, axes: ChosenAxes) -> Iterator[Chart]:
    across = [x for x in ("nfe_forward", "seconds") if _has(comparison, x, axes.y)]
    if not across or axes.y in across:
        return
    drawn = [_against_a_value(comparison, x, axes.y, axes.by) for x in across]
    ylabel = _axis(axes.y, comparison)
    caption = f"{ylabel} against what it costs: a point for each setting, with standard deviations"
    yield Chart("work_precision", views(drawn, "Work and precision"), caption)


def _nfe_against_tolerance(comparison: Comparison, axes: ChosenAxes) -> Iterator[Chart]:
    differing = [key for key in WORK if key in comparison.keys]
    x = next((key for key in differing if is_number(comparison.runs[key])), None)
    if x is None or not _has(comparison, "nfe_forward", x):
        return
    drawn = []
    over = ""
    for y in ("nfe_forward", "nfe_backward"):
        if not _has(comparison, y, x):
            continue
        lines, over = _lines(comparison, x, y, axes.by)
        drawn.append(View(lines, x, _axis(y, comparison), log=_log(comparison.runs[x])))
    figure = views(drawn, f"Evaluations against {x}")
    caption = f"Evaluations of the field, forward and backward: mean and deviation over {over}"
    yield Chart("nfe_against_tolerance", figure, caption)


def _memory(comparison: Comparison) -> Iterator[Chart]:
    if "adjoint.mode" not in comparison.keys or not _has(comparison, "saved_bytes"):
        return
    groups = _finite_groups(comparison, ["adjoint.mode"], "saved_bytes")
    names = [_shown(name) for name in groups["adjoint.mode"]]
    shown = [n for n in ("saved_bytes", "device_peak_bytes") if _has(comparison, n)]
    heights = {_axis(n, comparison): (list(groups[n]), list(groups[f"±{n}"])) for n in shown}
    figure = bars(names, heights, "Memory by adjoint mode")
    caption = "Memory by adjoint mode: mean and standard deviation over all other settings"
    yield Chart("memory", figure, caption)


def _pareto(comparison: Comparison, axes: ChosenAxes) -> Iterator[Chart]:
    if not _has(comparison, "nfe", ERROR):
        return
    groups = _finite_groups(comparison, None, "nfe", ERROR)
    if len(groups) < 2:
        return
    points = list(zip(groups["nfe"], groups[ERROR], strict=True))
    front = pareto_front(points)
    keys = [axes.by] if axes.by in comparison.keys else []
    lines = [
        Line(label(rows.iloc[0], keys), list(rows["nfe"]), list(rows[ERROR]))
        for _, rows in _split(groups, keys)
    ]
    if len(lines) > _MOST_LINES:
        lines = [Line("a setting", list(groups["nfe"]), list(groups[ERROR]))]
    ylabel = _axis(ERROR, comparison)
    best = tuple(points[i] for i in front)
    view = View(lines, _axis("nfe", comparison), ylabel, joined=False, front=best)
    figure = views([view], f"{ylabel} and evaluations: the best trade-offs")
    named = "; ".join(label(groups.iloc[i], comparison.keys) for i in front)
    caption = f"What no other setting beats in both (rings), from the left: {named}"
    yield Chart("pareto_front", figure, caption)


def _curves(comparison: Comparison) -> Iterator[Chart]:
    if len(comparison.metrics) != 1 or not _has(comparison, ERROR):
        return
    ((metric, _),) = comparison.metrics
    groups = _finite_groups(comparison, None, ERROR)
    best = groups.sort_values(ERROR).head(_MOST_LINES)
    quantities = {
        f"{metric}/val": f"{metric}/val",
        "nfe/forward_val": "NFE-F of a validation batch",
    }
    drawn = []
    for tag, name in quantities.items():
        lines = _over_epochs(comparison, best.sort_index(), tag)
        if lines:
            drawn.append(View(lines, "epoch", name, log="", bands=True))
    if not drawn:
        return
    which = "" if len(groups) == len(best) else f", the {len(best)} best of {len(groups)}"
    caption = f"Validation after each epoch{which}: mean over seeds, and bands of one deviation"
    yield Chart("learning_curves", views(drawn, f"Learning curves{which}"), caption)


def _over_epochs(comparison: Comparison, groups: pd.DataFrame, tag: str) -> list[Line]:
    """A line for each group that has logged a tag: means over the seeds, epoch by epoch."""
    lines = []
    for _, row in groups.iterrows():
        runs = comparison.finished
        for key in comparison.keys:
            runs = runs[runs[key].isna() if pd.isna(row[key]) else runs[key] == row[key]]
        curves = [curve(Path(folder), tag) for folder in runs["folder"]]
        by_number = pd.DataFrame([[value for _, value in points] for points in curves if points])
        if by_number.empty:
            continue
        epochs = [epoch for epoch, _ in max(curves, key=len)]
        mean, spread = list(by_number.mean()), list(by_number.std(ddof=1))
        lines.append(Line(label(row, comparison.keys), epochs, mean, yspread=spread))
    return lines


def _against_a_value(comparison: Comparison, x: str, y: str, by: str | None) -> View:
    """A point for each group; a line goes through those that differ in the tolerance alone."""
    keys = [key for key in comparison.keys if key not in WORK]
    groups = _finite_groups(comparison, None, x, y)
    joined = not keys or len(groups[keys].drop_duplicates()) <= _MOST_LINES
    if not joined:
        keys = [by] if by in comparison.keys else []
    if keys and len(groups[keys].drop_duplicates()) > _MOST_LINES:
        keys = []
    # Groups are in the order of the tolerance already, and so is each line.
    lines = [
        Line(
            label(rows.iloc[0], keys),
            list(rows[x]),
            list(rows[y]),
            list(rows[f"±{x}"]),
            list(rows[f"±{y}"]),
        )
        for _, rows in _split(groups, keys)
    ]
    return View(lines, _axis(x, comparison), _axis(y, comparison), joined=joined)


def _lines(comparison: Comparison, x: str, y: str, by: str | None) -> tuple[list[Line], str]:
    """Means of ``y`` at each ``x``: a line for each of the other settings, or for fewer of them.

    Settings are averaged over, from the last one on, until the lines can be told apart.

    Returns:
        The lines, and over what the means are.
    """
    keys = [key for key in comparison.keys if key != x]
    if by is not None and by != x:
        keys = [by, *(key for key in keys if key != by)]
    over = ["seeds"]
    while keys and len(comparison.runs[keys].drop_duplicates()) > _MOST_LINES:
        over.append(keys.pop())
    groups = _finite_groups(comparison, [*keys, x], x, y)
    lines = []
    for _, rows in _split(groups, keys):
        rows = rows.sort_values(x)
        name = label(rows.iloc[0], keys)
        lines.append(Line(name, list(rows[x]), list(rows[y]), yspread=list(rows[f"±{y}"])))
    return lines, ", ".join(over)


def _finite_groups(
    comparison: Comparison, keys: Sequence[str] | None, *needed: str
) -> pd.DataFrame:
    """The groups whose ``needed`` columns are numbers that have a place in a figure."""
    groups = comparison.groups(keys)
    return groups[np.isfinite(groups[list(needed)]).all(axis=1)]


def _split(groups: pd.DataFrame, keys: Sequence[str]) -> Iterator[tuple[object, pd.DataFrame]]:
    if keys:
        yield from groups.groupby(list(keys), dropna=False, sort=False)
    elif not groups.empty:
        yield (), groups


def _has(comparison: Comparison, *columns: str) -> bool:
    finished = comparison.finished
    return all(c in finished and is_number(finished[c]) for c in columns) and bool(
        np.isfinite(finished[list(columns)]).all(axis=1).any()
    )


def _axis(name: str, comparison: Comparison) -> str:
    return column(name, comparison.metrics).axis


def _log(values: pd.Series[object]) -> str:
    """The axis, if the values span enough of the positive numbers to need a logarithm."""
    low, high = values.min(), values.max()
    return "x" if low > 0 and high >= 20 * low else ""


def _shown(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return shortened(one_line(text), _LONGEST_VALUE)
