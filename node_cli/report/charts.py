"""The figures of a report: which there are, and what is on their axes."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from node_cli.figures.comparison import Line, View, bars, dots, views
from node_cli.report.comparison import WORK, Comparison, is_number, short
from node_cli.report.learning_curves import curve

_MOST_LINES = 10
_MOST_DOTS = 40

TITLES = {
    "error": "test error",
    "nfe": "NFE-F + NFE-B a step",
    "nfe_forward": "NFE-F a step",
    "nfe_backward": "NFE-B a step",
    "saved_bytes": "bytes kept for the backward pass",
    "device_peak_bytes": "peak device memory",
    "rss_peak_bytes": "peak resident memory of the process",
    "seconds": "seconds of training",
    "step_seconds": "seconds a step",
}


@dataclass(frozen=True)
class Chart:
    """A figure with its file name, without a suffix, and what it says."""

    name: str
    figure: Figure
    caption: str

    @cached_property
    def svg(self) -> bytes:
        """The figure as an SVG document."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue()


@dataclass(frozen=True)
class Axes:
    """What the user asked to see.

    Attributes:
        x: the column across; None where nothing that is a number differs.
        y: the column up.
        by: the setting whose values become lines; None for one line.
    """

    x: str | None
    y: str
    by: str | None


def default_axes(comparison: Comparison, x: str | None, y: str | None, by: str | None) -> Axes:
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
    return Axes(x, y or "error", by)


def charts(comparison: Comparison, axes: Axes) -> Iterator[Chart]:
    """All figures for which the runs have data."""
    if comparison.finished.empty:
        return
    yield from _asked_for(comparison, axes)
    yield from _work_precision(comparison, axes)
    yield from _nfe_against_tolerance(comparison, axes)
    yield from _memory(comparison)
    yield from _pareto(comparison, axes)
    yield from _curves(comparison)


def title_of(name: str, comparison: Comparison) -> str:
    """A column in words."""
    return comparison.metric if name == "error" else TITLES.get(name, name)


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


def _asked_for(comparison: Comparison, axes: Axes) -> Iterator[Chart]:
    has_values = axes.y in comparison.runs and comparison.finished[axes.y].notna().any()
    if not has_values:
        return
    ylabel = title_of(axes.y, comparison)
    if axes.x is None or not is_number(comparison.runs[axes.x]):
        keys = comparison.keys if axes.x is None else [axes.x, *([axes.by] if axes.by else [])]
        groups = comparison.groups(keys).dropna(subset=[axes.y]).sort_values(axes.y)
        shown = groups.head(_MOST_DOTS)
        line = Line("", list(shown[axes.y]), [], xspread=list(shown[f"±{axes.y}"]))
        names = [label(row, keys) for _, row in shown.iterrows()]
        less = f", the first {_MOST_DOTS} of {len(groups)}" if len(groups) > len(shown) else ""
        figure = dots(names, line, ylabel, f"{ylabel}{less}")
        yield Chart("comparison", figure, f"{ylabel}: mean and standard deviation")
        return
    lines, over = _lines(comparison, axes.x, axes.y, axes.by)
    xlabel = TITLES.get(axes.x, axes.x)
    view = View(lines, xlabel, ylabel, log=_log(comparison.runs[axes.x], "x") + "y")
    caption = f"{ylabel} against {xlabel}: mean and standard deviation over {over}"
    yield Chart("comparison", views([view], f"{ylabel} against {xlabel}"), caption)


def _work_precision(comparison: Comparison, axes: Axes) -> Iterator[Chart]:
    ylabel = title_of(axes.y, comparison)
    across = [x for x in ("nfe_forward", "seconds") if _has(comparison, x, axes.y)]
    if not across:
        return
    keys = [key for key in comparison.keys if key not in WORK]
    groups = comparison.groups()
    joined = len(groups[keys].drop_duplicates()) <= _MOST_LINES if keys else True
    if not joined:
        keys = [axes.by] if axes.by in comparison.keys else []
    drawn = []
    for x in across:
        lines = []
        for _, rows in _split(groups.dropna(subset=[x, axes.y]), keys):
            # Groups are in the order of the tolerance already, and so is the line.
            lines.append(
                Line(
                    label(rows.iloc[0], keys),
                    list(rows[x]),
                    list(rows[axes.y]),
                    list(rows[f"±{x}"]),
                    list(rows[f"±{axes.y}"]),
                )
            )
        drawn.append(View(lines[: 2 * _MOST_LINES], TITLES[x], ylabel, joined=joined))
    figure = views(drawn, "Work and precision")
    caption = f"{ylabel} against what it costs: a point for each setting, with standard deviations"
    yield Chart("work_precision", figure, caption)


def _nfe_against_tolerance(comparison: Comparison, axes: Axes) -> Iterator[Chart]:
    x = next((key for key in WORK if key in comparison.keys), None)
    if x is None or not _has(comparison, "nfe_forward", x):
        return
    drawn = []
    over = ""
    for y in ("nfe_forward", "nfe_backward"):
        lines, over = _lines(comparison, x, y, axes.by)
        drawn.append(View(lines, x, TITLES[y], log=_log(comparison.runs[x], "x")))
    figure = views(drawn, f"Evaluations against {x}")
    caption = f"Evaluations of the field, forward and backward: mean and deviation over {over}"
    yield Chart("nfe_against_tolerance", figure, caption)


def _memory(comparison: Comparison) -> Iterator[Chart]:
    if "adjoint.mode" not in comparison.keys or not _has(comparison, "saved_bytes"):
        return
    groups = comparison.groups(["adjoint.mode"]).dropna(subset=["saved_bytes"])
    names = [str(name) for name in groups["adjoint.mode"]]
    shown = [
        "saved_bytes",
        *(["device_peak_bytes"] if _has(comparison, "device_peak_bytes") else []),
    ]
    series = [Line(n, [], list(groups[n]), yspread=list(groups[f"±{n}"])) for n in shown]
    figure = bars(names, series, [TITLES[n] for n in shown], "Memory by adjoint mode")
    yield Chart(
        "memory",
        figure,
        "Memory by adjoint mode: mean and standard deviation over all other settings",
    )


def _pareto(comparison: Comparison, axes: Axes) -> Iterator[Chart]:
    if not _has(comparison, "nfe", axes.y):
        return
    groups = comparison.groups().dropna(subset=["nfe", axes.y])
    if len(groups) < 2:
        return
    points = list(zip(groups["nfe"], groups[axes.y], strict=True))
    front = [points[i] for i in pareto_front(points)]
    keys = [axes.by] if axes.by in comparison.keys else []
    lines = [
        Line(label(rows.iloc[0], keys), list(rows["nfe"]), list(rows[axes.y]))
        for _, rows in _split(groups, keys)
    ]
    ylabel = title_of(axes.y, comparison)
    view = View(lines[: 2 * _MOST_LINES], TITLES["nfe"], ylabel, joined=False, front=front)
    figure = views([view], f"{ylabel} and evaluations: the best trade-offs")
    best = "; ".join(label(groups.iloc[i], comparison.keys) for i in pareto_front(points)[:12])
    caption = f"What no other setting beats in both (rings), from the left: {best}"
    yield Chart("pareto_front", figure, caption)


def _curves(comparison: Comparison) -> Iterator[Chart]:
    metrics = comparison.finished["metric"].unique()
    if len(metrics) != 1:
        return
    tag = f"{metrics[0]}/val"
    groups = comparison.groups().dropna(subset=["error"]) if "error" in comparison.runs else None
    if groups is None or groups.empty:
        return
    best = groups.sort_values("error").head(_MOST_LINES)
    lines = []
    for _, row in best.sort_index().iterrows():
        runs = comparison.finished
        for key in comparison.keys:
            runs = runs[runs[key].isna() if pd.isna(row[key]) else runs[key] == row[key]]
        curves = [curve(Path(folder), tag) for folder in runs["folder"]]
        by_number = pd.DataFrame([[value for _, value in points] for points in curves if points])
        if by_number.empty:
            continue
        longest = max(curves, key=len)
        lines.append(
            Line(
                label(row, comparison.keys),
                [epoch for epoch, _ in longest],
                list(by_number.mean()),
                yspread=list(by_number.std(ddof=1)),
            )
        )
    if not lines:
        return
    view = View(lines, "epoch", tag, log="", bands=True)
    which = "" if len(groups) == len(best) else f", the {len(best)} best of {len(groups)}"
    caption = f"Validation after each epoch{which}: mean over seeds, and bands of one deviation"
    yield Chart("learning_curves", views([view], f"Learning curves{which}"), caption)


def _lines(comparison: Comparison, x: str, y: str, by: str | None) -> tuple[list[Line], str]:
    """Means of ``y`` at each ``x``, a line for each of the other settings, or only by ``by``.

    Returns:
        The lines, and over what the means are.
    """
    keys = [key for key in comparison.keys if key != x]
    if by is not None and by != x:
        keys = [by, *(key for key in keys if key != by)]
    over = "seeds"
    # What follows from x, as atol from rtol where both are swept together, makes no lines.
    while len(comparison.runs[keys].drop_duplicates()) > _MOST_LINES and len(keys) > 1:
        over = f"seeds, {keys.pop()}" if over == "seeds" else f"{over}, {keys.pop()}"
    groups = comparison.groups([*keys, x]).dropna(subset=[x, y])
    lines = []
    for _, rows in _split(groups, keys):
        rows = rows.sort_values(x)
        name = label(rows.iloc[0], keys)
        lines.append(Line(name, list(rows[x]), list(rows[y]), yspread=list(rows[f"±{y}"])))
    return lines[: 2 * _MOST_LINES], over


def _split(groups: pd.DataFrame, keys: Sequence[str]) -> Iterator[tuple[object, pd.DataFrame]]:
    if not keys:
        if not groups.empty:
            yield (), groups
        return
    yield from groups.groupby(list(keys), dropna=False, sort=False)


def _has(comparison: Comparison, *columns: str) -> bool:
    finished = comparison.finished
    return all(c in finished for c in columns) and bool(
        finished[list(columns)].notna().all(axis=1).any()
    )


def _log(column: pd.Series[object], axis: str) -> str:
    """The axis, if the column spans enough of the positive numbers to need a logarithm."""
    low, high = column.min(), column.max()
    return axis if low > 0 and high >= 20 * low else ""


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
