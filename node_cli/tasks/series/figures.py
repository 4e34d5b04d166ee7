"""Figures of time series and of latent trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure

Floats = NDArray[np.float32]

_COLUMNS = 3
_CURVES = 3  # values that are drawn against the time
_PARTS = {
    "observed": ("-", "tab:red", "inside of the observed interval"),
    "forward": ("--", "tab:purple", "forwards in time"),
    "backward": (":", "tab:cyan", "backwards in time"),
}


class Shown(NamedTuple):
    """One series and what a model says of it.

    Attributes:
        times: ``[P]``, increasing.
        truth: ``[P, D]``.
        values: what was measured, ``[P, D]``.
        observed: which points the model was shown, bool ``[P]``.
        known: where there is a value, bool ``[P, D]``.
        samples: predictions from samples of the posterior, ``[K, P, D]``.
        parts: of each point: ``observed`` (or between observed points), ``forward``, ``backward``.
    """

    times: Floats
    truth: Floats
    values: Floats
    observed: NDArray[np.bool_]
    known: NDArray[np.bool_]
    samples: Floats
    parts: NDArray[np.str_]


def reconstructions(shown: Sequence[Shown], title: str) -> Figure:
    """Truth, observations, and predictions inside, before and after the observed interval.

    Two values are drawn against each other. Otherwise they are drawn against the time; of many
    values those three of which most is known.
    """
    rows = -(-len(shown) // _COLUMNS)
    figure = new_figure(3.4 * _COLUMNS, 3.1 * rows + 0.7)
    figure.suptitle(title)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    for axis, series in zip(axes, shown, strict=False):
        if series.truth.shape[1] == 2:
            _in_the_plane(axis, series)
        else:
            _against_time(axis, series)
        axis.tick_params(labelsize=7)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def latent_trajectories(states: Floats, groups: NDArray[np.int64], title: str) -> Figure:
    """Two principal components of latent trajectories.

    Args:
        states: ``[B, P, L]``.
        groups: of each series, ``[B]``, told apart by colour and line.
        title: the title.
    """
    flat = states.reshape(-1, states.shape[-1])
    centre = flat.mean(axis=0)
    _, _, axes_of_most_spread = np.linalg.svd(flat - centre, full_matrices=False)
    plane = (states - centre) @ axes_of_most_spread[: min(2, states.shape[-1])].T
    if plane.shape[-1] == 1:
        plane = np.concatenate((plane, np.zeros_like(plane)), axis=-1)
    figure = new_figure(5.0, 4.4)
    axis = figure.subplots()
    for path, group in zip(plane, groups, strict=True):
        style, colour = ("-", "--")[int(group) % 2], f"C{int(group) % 10}"
        axis.plot(path[:, 0], path[:, 1], style, color=colour, linewidth=0.8)
        axis.plot(path[0, 0], path[0, 1], "o", color=colour, markersize=3)
    axis.set_xlabel("first principal component of z(t)")
    axis.set_ylabel("second")
    axis.set_title(title)
    return figure


def latent_walk(curves: Floats, title: str) -> Figure:
    """Decoded curves on a straight line between two points of the latent space.

    Args:
        curves: ``[steps, P, 2]``.
        title: of the whole.
    """
    figure = new_figure(1.9 * len(curves), 2.4)
    figure.suptitle(title)
    axes = figure.subplots(1, len(curves), squeeze=False)[0]
    for number, (axis, curve) in enumerate(zip(axes, curves, strict=True)):
        axis.plot(curve[:, 0], curve[:, 1], color="black", linewidth=1.0)
        axis.plot(curve[0, 0], curve[0, 1], "o", color="tab:red", markersize=4)
        axis.set_title(f"{number / (len(curves) - 1):.0%}", fontsize=9)
        axis.set_aspect("equal", adjustable="datalim")
        axis.tick_params(labelsize=6)
    return figure


def _in_the_plane(axis: Axes, series: Shown) -> None:
    axis.plot(series.truth[:, 0], series.truth[:, 1], color="0.75", linewidth=3, label="truth")
    for name, (style, colour, label) in _PARTS.items():
        part = series.parts == name
        for number, sample in enumerate(series.samples):
            axis.plot(
                sample[part, 0], sample[part, 1], style, color=colour,
                linewidth=1.2, alpha=0.8, label=label if number == 0 and part.any() else None,
            )  # fmt: skip
    seen = series.values[series.observed]
    axis.scatter(seen[:, 0], seen[:, 1], s=8, color="black", zorder=3, label="observed")
    axis.set_aspect("equal", adjustable="datalim")


def _against_time(axis: Axes, series: Shown) -> None:
    most_known = np.argsort(-series.known.sum(axis=0), kind="stable")[:_CURVES]
    for number, column in enumerate(sorted(most_known)):
        _one_value(axis, series, column, first=number == 0)
    axis.set_xlabel("time", fontsize=8)


def _one_value(axis: Axes, series: Shown, column: int, first: bool) -> None:
    known = series.known[:, column]
    axis.plot(
        series.times[known], series.truth[known, column], color="0.75", linewidth=3,
        label="truth" if first else None,
    )  # fmt: skip
    for name, (style, colour, label) in _PARTS.items():
        part = series.parts == name
        for number, sample in enumerate(series.samples):
            axis.plot(
                series.times[part], sample[part, column], style, color=colour, linewidth=1.2,
                alpha=0.8, label=label if first and number == 0 and part.any() else None,
            )  # fmt: skip
    seen = series.observed & known
    axis.scatter(
        series.times[seen], series.values[seen, column], s=8, color="black", zorder=3,
        label="observed" if first else None,
    )  # fmt: skip
