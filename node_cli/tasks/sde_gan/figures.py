"""Figures of generated paths, from arrays."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure

Floats = NDArray[np.float32]

_PERCENTILES = (5, 25, 50, 75, 95)
_DATA, _GENERATED = "0.3", "tab:blue"


def paths_and_bands(data: Floats, generated: Floats, shown: int, title: str) -> Figure:
    """Paths of the data and of the generator, and percentiles of both over the time.

    Args:
        data: ``[N, T]``.
        generated: ``[M, T]``.
        shown: how many paths of each.
        title: of the whole.
    """
    figure = new_figure(11.0, 3.8)
    figure.suptitle(title)
    left, middle, right = figure.subplots(1, 3, sharey=True)
    for axis, paths, name, colour in (
        (left, data, "data", _DATA),
        (middle, generated, "generated", _GENERATED),
    ):
        axis.plot(paths[:shown].T, color=colour, linewidth=0.5, alpha=0.7)
        axis.set_title(name, fontsize=10)
        for number, band in enumerate(np.percentile(paths, _PERCENTILES, axis=0)):
            style = "-" if paths is data else "--"
            label = None if number else name
            right.plot(band, style, color=colour, linewidth=1.2, label=label)
    right.set_title("5, 25, 50, 75 and 95 %", fontsize=10)
    right.legend(fontsize=8)
    for axis in (left, middle, right):
        axis.set_xlabel("time")
    return figure
