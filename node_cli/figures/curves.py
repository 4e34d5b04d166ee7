"""Curves of logged scalars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from node_cli.figures.canvas import new_figure

_MARKERS = ("o", "s", "^", "D", "v")


def curves_by_epoch(
    history: Sequence[Mapping[str, float]], tags: Mapping[str, str], ylabel: str, title: str
) -> Figure:
    """Scalars against the epoch, told apart by marker as well as by colour.

    Args:
        history: a mapping of tag to value for each epoch, the first epoch first.
        tags: the tags to draw, with the label of each.
        ylabel: what the vertical axis shows, with its unit.
        title: the title.
    """
    figure = new_figure(6.0, 3.8)
    axis = figure.subplots()
    for marker, (tag, label) in zip(_MARKERS, tags.items(), strict=False):
        points = [(i, epoch[tag]) for i, epoch in enumerate(history, start=1) if tag in epoch]
        if points:
            axis.plot(*zip(*points, strict=True), marker=marker, label=label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("epoch")
    axis.set_ylabel(ylabel)
    axis.set_title(title)
    axis.grid(alpha=0.3)
    if axis.lines:
        axis.legend()
    return figure
