"""Figures that hold runs against each other; readable without colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, NullLocator

from node_cli.figures.canvas import new_figure
from node_cli.figures.panels import DASHES, MARKERS

_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")


@dataclass(frozen=True)
class Line:
    """Points that belong together, with their spreads; ``nan`` for none.

    Attributes:
        label: in the legend.
        x: positions.
        y: values, as many.
        xspread: standard deviations of the positions, as many, or empty.
        yspread: of the values.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    xspread: Sequence[float] = ()
    yspread: Sequence[float] = ()


@dataclass(frozen=True)
class View:
    """One panel.

    Attributes:
        lines: what is drawn.
        xlabel: of the horizontal axis.
        ylabel: of the vertical axis.
        log: the axes, of ``x`` and ``y``, that are logarithmic where all values are above 0.
        joined: whether a line goes through its points.
        front: positions and values of a Pareto front, drawn as steps.
        bands: whether spreads are bands and not bars.
    """

    lines: Sequence[Line]
    xlabel: str
    ylabel: str
    log: str = "xy"
    joined: bool = True
    front: Sequence[tuple[float, float]] = field(default_factory=tuple)
    bands: bool = False


def views(drawn: Sequence[View], title: str) -> Figure:
    """Panels side by side with one legend below.

    Args:
        drawn: the panels; lines of the same label look the same in each.
        title: of the whole.
    """
    labels = list(dict.fromkeys(line.label for view in drawn for line in view.lines))
    width = 5.2 * max(len(drawn), 1.4)
    columns = max(1, min(3, int(13 * width / (max(map(len, labels), default=0) + 8))))
    rows = math.ceil(len(labels) / columns) if len(labels) > 1 else 0
    figure = new_figure(width, 4.0 + 0.22 * rows)
    figure.suptitle(title)
    for axis, view in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        for line in view.lines:
            _draw(axis, line, labels.index(line.label), view)
        if view.front:
            axis.step(
                *zip(*view.front, strict=True),
                where="post",
                color="black",
                linewidth=1.0,
                linestyle=":",
                label="Pareto front",
            )
            axis.scatter(
                *zip(*view.front, strict=True), s=130, facecolors="none", edgecolors="black"
            )
        _scale(axis, view)
        axis.set_xlabel(view.xlabel)
        axis.set_ylabel(view.ylabel)
        axis.grid(alpha=0.3)
    handles: dict[str, Artist] = {}
    for axis in figure.axes:
        found, names = axis.get_legend_handles_labels()
        handles |= dict(zip(names, found, strict=True))
    if len(handles) > 1:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=columns,
            fontsize=8,
        )
    return figure


def dots(
    labels: Sequence[str],
    values: Sequence[float],
    spreads: Sequence[float],
    xlabel: str,
    title: str,
) -> Figure:
    """Values of named groups, one below the other.

    Args:
        labels: of the groups, from above.
        values: of the groups.
        spreads: their standard deviations, ``nan`` for none.
        xlabel: what the values are.
        title: of the figure.
    """
    figure = new_figure(7.5, 1.3 + 0.28 * len(labels))
    axis = figure.subplots()
    places = range(len(labels))
    axis.errorbar(values, places, xerr=_known(spreads), fmt="o", color="black", capsize=3)
    axis.set_yticks(places, [*map(_literal, labels)], fontsize=8)
    axis.invert_yaxis()
    if min(values, default=0.0) > 0 and max(values) > 20 * min(values):
        axis.set_xscale("log")
    axis.set_xlabel(xlabel)
    axis.set_title(title)
    axis.grid(alpha=0.3)
    return figure


def bars(
    names: Sequence[str],
    heights: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    title: str,
) -> Figure:
    """A panel of bars for each quantity in bytes, told apart by hatching as well.

    Args:
        names: of the bars.
        heights: for each panel, by the label of its axis: heights and their standard deviations.
        title: of the whole.
    """
    figure = new_figure(4.6 * max(len(heights), 1.4), 3.8)
    figure.suptitle(title)
    axes = figure.subplots(1, len(heights), squeeze=False)[0]
    places = range(len(names))
    for axis, (ylabel, (values, spreads)) in zip(axes, heights.items(), strict=True):
        drawn = axis.bar(
            places, values, yerr=_known(spreads), capsize=4, color="lightsteelblue", ec="black"
        )
        axis.set_xticks(places, [*map(_literal, names)])
        for bar, hatch in zip(drawn, _HATCHES * len(names), strict=False):
            bar.set_hatch(hatch)
        axis.yaxis.set_major_formatter(EngFormatter(unit="B"))
        axis.set_ylabel(ylabel)
        axis.tick_params(axis="x", rotation=20 if max(map(len, names)) > 8 else 0)
    return figure


def _known(spreads: Sequence[float]) -> list[float]:
    """Spreads with 0 where there is none."""
    return [0.0 if math.isnan(spread) else spread for spread in spreads]


def _literal(text: str) -> str:
    """A text of the user's, in which a dollar sign begins no formula."""
    return text.replace("$", r"\$")


def _draw(axis: Axes, line: Line, number: int, view: View) -> None:
    marker, dash = MARKERS[number % len(MARKERS)], DASHES[number % len(DASHES)]
    if view.bands:
        (drawn,) = axis.plot(
            line.x,
            line.y,
            label=_literal(line.label),
            linestyle=dash,
            marker=marker,
            markevery=max(1, len(line.x) // 8),
            markersize=5,
        )
        if any(spread > 0 for spread in line.yspread):
            spread = _known(line.yspread)
            low = [y - s for y, s in zip(line.y, spread, strict=True)]
            high = [y + s for y, s in zip(line.y, spread, strict=True)]
            axis.fill_between(line.x, low, high, alpha=0.15, color=drawn.get_color())
        return
    axis.errorbar(
        line.x,
        line.y,
        xerr=_bar(line.x, line.xspread, "x" in view.log),
        yerr=_bar(line.y, line.yspread, "y" in view.log),
        label=_literal(line.label),
        marker=marker,
        linestyle=dash if view.joined else "none",
        capsize=2.5,
        linewidth=1.4,
        elinewidth=0.9,
    )


def _bar(
    values: Sequence[float], spreads: Sequence[float], log: bool
) -> tuple[list[float], list[float]] | None:
    """Lengths of error bars below and above; on a logarithmic axis they must stay above 0."""
    if not any(spread > 0 for spread in spreads):
        return None
    above = _known(spreads)
    below = [
        min(spread, 0.9 * value) if log and value > 0 else spread
        for value, spread in zip(values, above, strict=True)
    ]
    return below, above


def _scale(axis: Axes, view: View) -> None:
    if view.bands:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for name, setter, ticks in (
        ("x", axis.set_xscale, axis.xaxis),
        ("y", axis.set_yscale, axis.yaxis),
    ):
        values = [v for line in view.lines for v in getattr(line, name) if not math.isnan(v)]
        if name not in view.log or not values or min(values) <= 0 or min(values) == max(values):
            continue
        setter("log")
        if max(values) < 10 * min(values):
            # Within a decade the powers of ten say nothing.
            ticks.set_major_locator(MaxNLocator(6))
            ticks.set_major_formatter("{x:g}")
            ticks.set_minor_locator(NullLocator())
