"""Figures of latent SDEs, from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure

Floats = NDArray[np.float32]

_MOST_COLUMNS = 3
_POSTERIOR, _PRIOR = "tab:blue", "0.55"


class Bands(NamedTuple):
    """What is predicted at T times.

    Attributes:
        times: ``[T]``.
        percentiles: the 5th, 25th, 50th, 75th and 95th, noise included, ``[5, T, D]``.
        paths: a few of those that they are made of, without noise, ``[T, k, D]``.
    """

    times: Floats
    percentiles: Floats
    paths: Floats


class Drawn(NamedTuple):
    """The points of a series.

    Attributes:
        times: ``[P]``.
        values: ``[P, D]``, not a number where there is nothing.
        observed: which points the model was shown, bool ``[P]``.
    """

    times: Floats
    values: Floats
    observed: NDArray[np.bool_]


class SeriesPanel(NamedTuple):
    """A series, what the posterior says of it, and the time of its last observation."""

    series: Drawn
    posterior: Bands
    end: float


def bands_of_one(
    prior: Bands, panel: SeriesPanel, exact: tuple[Floats, Floats] | None, title: str
) -> Figure:
    """Prior and posterior of one series with one value at each time, side by side.

    Args:
        prior: at the times of ``exact``.
        panel: the series and its posterior.
        exact: the ends of the true posterior's band of 90 %, ``[T]`` each.
        title: of the whole.
    """
    figure = new_figure(10.0, 4.0)
    figure.suptitle(title)
    left, right = figure.subplots(1, 2, sharey=True)
    _fill(left, prior, 0, _PRIOR, "prior")
    _fill(right, panel.posterior, 0, _POSTERIOR, "posterior")
    if exact is not None:
        for number, edge in enumerate(exact):
            right.plot(
                prior.times, edge, "--", color="black", linewidth=1.0,
                label=None if number else "exact posterior, 90 %",
            )  # fmt: skip
    for axis, name in ((left, "before the data"), (right, "given the data")):
        _points(axis, panel.series, 0)
        axis.set_xlim(float(prior.times[0]), float(prior.times[-1]))
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("time")
    handles = dict(zip(*reversed(left.get_legend_handles_labels()), strict=True))
    handles |= dict(zip(*reversed(right.get_legend_handles_labels()), strict=True))
    figure.legend(
        [*handles.values()], [*handles], loc="outside lower center", ncols=len(handles), fontsize=8
    )
    return figure


def bands_of_series(prior: Bands, panels: Sequence[SeriesPanel], title: str) -> Figure:
    """Posterior bands of some series, a row each, over the band of the prior.

    Args:
        prior: of any series.
        panels: the series and their posteriors.
        title: of the whole.
    """
    columns = min(_MOST_COLUMNS, panels[0].series.values.shape[1])
    figure = new_figure(max(6.5, 4.2 * columns), 2.3 * len(panels) + 0.8)
    figure.suptitle(title)
    grid = figure.subplots(len(panels), columns, squeeze=False, sharex=True, sharey="col")
    for row, panel in zip(grid, panels, strict=True):
        for column, axis in enumerate(row):
            for edge, label in ((0, "prior, 90 %"), (4, None)):
                axis.plot(
                    prior.times, prior.percentiles[edge, :, column], "--", color=_PRIOR,
                    linewidth=1.0, label=label,
                )  # fmt: skip
            _fill(axis, panel.posterior, column, _POSTERIOR, "posterior")
            _points(axis, panel.series, column)
            axis.axvline(panel.end, color="0.3", linewidth=0.8, linestyle=":")
            axis.tick_params(labelsize=7)
    for axis in grid[-1]:
        axis.set_xlabel("time", fontsize=8)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    return figure


def paths_in_space(data: Floats, samples: Floats, title: str) -> Figure:
    """Paths of the data, and of the prior, in three dimensions.

    Args:
        data: ``[N, T, 3]``.
        samples: ``[M, T, 3]``.
        title: of the whole.
    """
    figure = new_figure(9.0, 4.4)
    figure.suptitle(title)
    low, high = data.min(axis=(0, 1)), data.max(axis=(0, 1))
    margin = 0.1 * (high - low)
    low, high = low - margin, high + margin
    for place, (paths, name) in enumerate(((data, "data"), (samples, "samples of the prior")), 1):
        axis = figure.add_subplot(1, 2, place, projection="3d")
        # Axes in three dimensions do not clip.
        inside = ((paths >= low) & (paths <= high)).all(axis=-1, keepdims=True)
        for path in np.where(inside, paths, np.nan):
            axis.plot(path[:, 0], path[:, 1], path[:, 2], linewidth=0.8)
            axis.plot(*path[0][:, None], "o", color="black", markersize=2)
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
        axis.set(xticklabels=[], yticklabels=[], zticklabels=[])
        axis.set(xlabel="$x_1$", ylabel="$x_2$", zlabel="$x_3$")
        axis.set_box_aspect(None, zoom=0.88)  # labels are not cut
        axis.set_title(name, fontsize=10)
    return figure


def scatter_of_pairs(pairs: Mapping[str, tuple[Floats, Floats]], title: str) -> Figure:
    """Learned against true values, a row for each name and a column for each coordinate.

    Args:
        pairs: learned and true values by name, ``[N, D]`` each.
        title: of the whole.
    """
    columns = next(iter(pairs.values()))[0].shape[1]
    figure = new_figure(3.0 * columns, 2.8 * len(pairs) + 0.3)
    figure.suptitle(title)
    grid = figure.subplots(len(pairs), columns, squeeze=False)
    for row, (name, (learned, true)) in zip(grid, pairs.items(), strict=True):
        for column, axis in enumerate(row):
            ends = [float(true[:, column].min()), float(true[:, column].max())]
            axis.plot(ends, ends, color="black", linewidth=1.0)
            axis.scatter(true[:, column], learned[:, column], s=2, alpha=0.4, color=_POSTERIOR)
            axis.set_xlabel(f"true {name} of $x_{column + 1}$", fontsize=8)
            axis.set_ylabel("learned", fontsize=8)
            axis.tick_params(labelsize=7)
    return figure


def drift_curves(curves: Sequence[tuple[float, Floats, Floats, Floats]], title: str) -> Figure:
    """The drift of a posterior against the state, learned and exact, a panel for each time.

    Args:
        curves: a time, states, the learned and the exact drift there, ``[N]`` each.
        title: of the whole.
    """
    figure = new_figure(2.2 * len(curves), 2.9)
    figure.suptitle(title)
    axes = figure.subplots(1, len(curves), squeeze=False)[0]
    for axis, (time, states, learned, exact) in zip(axes, curves, strict=True):
        axis.plot(states, exact, color="black", linestyle="--", label="exact")
        axis.plot(states, learned, color=_POSTERIOR, label="learned")
        axis.set_title(f"t = {time:g}", fontsize=9)
        axis.set_xlabel("state", fontsize=8)
        axis.tick_params(labelsize=7)
    axes[0].set_ylabel("drift of the posterior")
    axes[0].legend(fontsize=7)
    return figure


def _fill(axis: Axes, bands: Bands, column: int, colour: str, name: str) -> None:
    low, quarter, middle, upper, high = bands.percentiles[:, :, column]
    axis.fill_between(
        bands.times, low, high, color=colour, alpha=0.2, linewidth=0, label=f"{name}, 90 %"
    )
    axis.fill_between(
        bands.times, quarter, upper, color=colour, alpha=0.35, linewidth=0, label=f"{name}, 50 %"
    )
    axis.plot(bands.times, middle, color=colour, linewidth=1.4)
    axis.plot(bands.times, bands.paths[:, :, column], color=colour, linewidth=0.5, alpha=0.6)


def _points(axis: Axes, series: Drawn, column: int) -> None:
    seen = series.observed
    axis.scatter(
        series.times[~seen], series.values[~seen, column], s=9, facecolors="none",
        edgecolors="tab:red", linewidths=0.8, zorder=3, label="held out",
    )  # fmt: skip
    axis.scatter(
        series.times[seen], series.values[seen, column], s=9, color="black", zorder=4,
        label="observed",
    )  # fmt: skip
