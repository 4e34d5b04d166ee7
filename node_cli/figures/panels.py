"""Several panels of the same table, one line for each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from node_cli.figures.canvas import new_figure

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Lines that lie on each other are still seen: the first is widest, and dashes differ.
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))


class Panel(NamedTuple):
    """One panel: the columns on its axes, their labels and scales.

    ``equal`` draws the line where both are the same.
    """

    x: str
    y: str
    xlabel: str
    ylabel: str
    xscale: str
    yscale: str
    equal: bool = False


def panels(
    rows: Sequence[Mapping[str, Any]], by: str | None, drawn: Sequence[Panel], title: str
) -> Figure:
    """Draw ``drawn`` two in a row, told apart by marker and dashes as well as by colour.

    A line goes through its points in the order of the rows.

    Args:
        rows: the table; a row without a panel's columns is left out of it.
        by: the column whose values become lines; None: one line.
        drawn: the panels.
        title: of the whole.
    """
    height = -(-len(drawn) // 2)
    figure = new_figure(9.0, 3.4 * height + 0.4)
    figure.suptitle(title)
    axes = figure.subplots(height, min(2, len(drawn)), squeeze=False).ravel()
    names = [None] if by is None else list(dict.fromkeys(row[by] for row in rows if by in row))
    for axis, panel in zip(axes, drawn, strict=False):
        for number, name in enumerate(names):
            points = [
                (row[panel.x], row[panel.y])
                for row in rows
                if panel.x in row and panel.y in row and (by is None or row[by] == name)
            ]
            if points:
                axis.plot(
                    *zip(*points, strict=True),
                    marker=MARKERS[number % len(MARKERS)],
                    linestyle=DASHES[number % len(DASHES)],
                    linewidth=max(1.2, 3.0 - 0.6 * number),
                    label=None if name is None else str(name),
                )
        axis.set_xscale(panel.xscale)
        axis.set_yscale(panel.yscale)
        if panel.yscale == "linear":
            axis.set_ylim(0.0, 1.05 * axis.get_ylim()[1])
        if panel.y.endswith("_bytes"):
            axis.yaxis.set_major_formatter(EngFormatter(unit="B"))
        if panel.equal:
            axis.axline((0.0, 0.0), slope=1.0, color="gray", linewidth=0.8, label="equal")
            axis.legend()
        axis.set_xlabel(panel.xlabel)
        axis.set_ylabel(panel.ylabel)
        axis.grid(alpha=0.3)
    if by is not None:
        axes[0].legend()
    return figure
