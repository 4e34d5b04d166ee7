"""Figures of trajectories and of vector fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure
from node_cli.figures.gif import animated_gif
from node_cli.tasks.dynamics.system import Floats

if TYPE_CHECKING:
    from node_cli.tasks.dynamics.asked import AskedTrajectories
    from node_cli.tasks.dynamics.long_run import LongRun
    from node_cli.tasks.dynamics.model import DynamicsModel
    from node_cli.tasks.dynamics.system import System

_COLOURS = ("tab:blue", "tab:orange", "tab:green")
_MOST_VALUES = 4
_GRID = 31
_FRAMES = 48
_TRAIL = 0.2  # of the whole way, drawn behind a moving point
_TRUTH: dict[str, Any] = {"color": "0.7", "linewidth": 3.0}
_PREDICTED: dict[str, Any] = {"linewidth": 1.2}


@dataclass(frozen=True)
class Portrait:
    """Trajectories, and what a model makes of them.

    Attributes:
        system: the true equations.
        shown: N trajectories.
        predicted: ``[N, P, D]``.
        model: that predicted them.
    """

    system: System
    shown: AskedTrajectories
    predicted: Floats
    model: DynamicsModel

    @property
    def times(self) -> Floats:
        """``[N, P]``, as the user has them."""
        return self.shown.at.cpu().numpy()

    @property
    def truth(self) -> Floats:
        """``[N, P, D]``."""
        return self.shown.truth.double().cpu().numpy()

    def box(self) -> tuple[Floats, Floats]:
        """The least and the largest coordinates of what is drawn in the plane, ``[2]`` each."""
        drawn = np.concatenate([self.truth[..., list(plane)] for plane in self.system.planes])
        low, high = (edge(drawn.reshape(-1, 2), axis=0) for edge in (np.min, np.max))
        margin = 0.15 * (high - low) + 1e-6
        return low - margin, high + margin

    def fields(self) -> tuple[Floats, Floats, Floats]:
        """A grid ``[G, G, 2]``, and there the true and the learned dx/dt; of two values alone."""
        low, high = self.box()
        x, y = (np.linspace(low[i], high[i], _GRID) for i in (0, 1))
        grid = np.stack(np.meshgrid(x, y), axis=-1)
        points = torch.from_numpy(grid.reshape(-1, 2)).to(self.shown.truth)
        learned = self.model.velocity(points).double().cpu().numpy()
        return grid, self.system.derivative(grid), learned.reshape(grid.shape)


def against_time(portrait: Portrait, title: str) -> Figure:
    """Each value of each trajectory: the truth, what is observed, and the prediction."""
    names = list(portrait.system.columns)[:_MOST_VALUES]
    columns = len(portrait.shown)
    figure = new_figure(3.4 * columns, 1.9 * len(names) + 1.0)
    figure.suptitle(title)
    axes = figure.subplots(len(names), columns, squeeze=False, sharex=True, sharey="row")
    states = portrait.shown.states.cpu().numpy()
    inside = (portrait.shown.there & ~portrait.shown.beyond).cpu().numpy()
    for column in range(columns):
        times, known = portrait.times[column], inside[column]
        seen = portrait.shown.shown[column].cpu().numpy()
        for row, name in enumerate(names):
            axis: Axes = axes[row, column]
            value = portrait.predicted[column, :, row]
            axis.plot(times, portrait.truth[column, :, row], label="truth", **_TRUTH)
            axis.plot(
                times[seen], states[column, seen, row], ".", color="black", markersize=2,
                label="observed",
            )  # fmt: skip
            axis.plot(
                times[known], value[known], "-", color="tab:red", label="predicted", **_PREDICTED
            )
            if not known.all():
                after = np.append(np.flatnonzero(known)[-1], np.flatnonzero(~known))
                axis.plot(
                    times[after], value[after], "--", color="tab:purple", label="beyond the window",
                    **_PREDICTED,
                )  # fmt: skip
            axis.tick_params(labelsize=7)
            if column == 0:
                axis.set_ylabel(name)
            if row == len(names) - 1:
                axis.set_xlabel("time")
    for row in range(len(names)):
        low, high = portrait.truth[..., row].min(), portrait.truth[..., row].max()
        margin = 0.3 * (high - low) + 1e-6
        axes[row, 0].set_ylim(low - margin, high + margin)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def phase_portrait(portrait: Portrait, title: str) -> Figure:
    """True and predicted trajectories, over the true and the learned vector field.

    The fields, and what they differ by, are drawn where a state has two values.
    """
    planar = len(portrait.system.columns) == 2
    compared = planar and portrait.system.known
    figure = new_figure(12.6 if compared else 8.6, 4.3)
    figure.suptitle(title)
    axes = figure.subplots(1, 3 if compared else 2)
    for axis, heading, paths, colour in (
        (axes[0], "truth", portrait.truth, "0.55"),
        (axes[1], "learned", portrait.predicted, "tab:red"),
    ):
        _frame(axis, portrait, heading)
        _paths(axis, portrait, paths, colour)
    if planar:
        grid, true, learned = portrait.fields()
        _streams(axes[1], grid, learned)
    if compared:
        _streams(axes[0], grid, true)
        _frame(axes[2], portrait, "|learned - true| of dx/dt")
        off = np.linalg.norm(learned - true, axis=-1)
        # One scale for all epochs would hide the last ones; one that begins at 0 all but a corner.
        scale = LogNorm(max(float(np.quantile(off, 0.02)), 1e-12), max(float(off.max()), 1e-11))
        mesh = axes[2].pcolormesh(grid[0, :, 0], grid[:, 0, 1], off, norm=scale, cmap="viridis")
        figure.colorbar(mesh, ax=axes[2], shrink=0.85)
        _paths(axes[2], portrait, portrait.truth, "white")
    return figure


def energy_over_time(run: LongRun, title: str) -> Figure | None:
    """The energy along the predictions, less the true one; None: nothing is conserved."""
    energies = run.energies()
    if energies is None:
        return None
    figure = new_figure(6.4, 3.8)
    axis = figure.subplots()
    for number, (off, colour) in enumerate(
        zip(energies[0] - energies[1], _COLOURS, strict=False), start=1
    ):
        axis.plot(run.times, off, color=colour, linewidth=1.0, label=f"trajectory {number}")
    axis.axhline(0.0, color="0.5", linewidth=0.8)
    axis.axvline(run.window, color="0.5", linestyle=":", label="end of the window")
    axis.set_xlabel("time")
    axis.set_ylabel("energy, less the true one")
    axis.set_title(title)
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


def moving_portrait(portrait: Portrait, title: str) -> bytes:
    """An animated GIF: points along true and predicted trajectories, with a trail each."""
    figure = new_figure(5.2, 4.8)
    axis = figure.subplots()
    _frame(axis, portrait, "")
    if len(portrait.system.columns) == 2:
        grid, _, learned = portrait.fields()
        _streams(axis, grid, learned)
    heading = axis.set_title(title)
    true = _movers(axis, portrait, {"color": "0.5", "linewidth": 4.0, "alpha": 0.6})
    ours = _movers(axis, portrait, {"linewidth": 1.5})
    axis.legend((true[0], ours[0]), ("truth", "predicted"), loc="upper right", fontsize=8)
    assert isinstance(figure.canvas, FigureCanvasAgg)
    canvas = figure.canvas
    points = portrait.truth.shape[1]
    # What does not change is drawn once.
    changing = (heading, *true, *ours)
    for artist in changing:
        artist.set_animated(True)
    canvas.draw()
    unchanging = canvas.copy_from_bbox(figure.bbox)

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for end in np.unique(np.linspace(1, points - 1, _FRAMES).round().astype(int)):
            begin = max(0, end - round(_TRAIL * points))
            for lines, paths in ((true, portrait.truth), (ours, portrait.predicted)):
                for line, path in zip(lines, _in_planes(portrait, paths), strict=True):
                    line.set_data(path[begin : end + 1, 0], path[begin : end + 1, 1])
            heading.set_text(f"{title}: t = {portrait.times[0, end]:.2f}")
            canvas.restore_region(unchanging)
            for artist in changing:
                artist.draw(canvas.get_renderer())
            yield np.array(canvas.buffer_rgba())[..., :3].copy()

    return animated_gif(pictures())


def _in_planes(portrait: Portrait, paths: Floats) -> list[Floats]:
    """Each trajectory in each plane, ``[P, 2]``."""
    return [path[:, list(plane)] for path in paths for plane in portrait.system.planes]


def _movers(axis: Axes, portrait: Portrait, style: dict[str, Any]) -> list[Line2D]:
    planes = len(portrait.system.planes)
    return [
        axis.plot([], [], **{"color": _COLOURS[number // planes % len(_COLOURS)], **style})[0]
        for number in range(planes * len(portrait.shown))
    ]


def _paths(axis: Axes, portrait: Portrait, paths: Floats, colour: str) -> None:
    for path in _in_planes(portrait, paths):
        axis.plot(path[:, 0], path[:, 1], color=colour, linewidth=1.4)
        axis.plot(*path[0], "o", color=colour, markersize=4)


def _streams(axis: Axes, grid: Floats, field: Floats) -> None:
    axis.streamplot(
        grid[0, :, 0], grid[:, 0, 1], field[..., 0], field[..., 1], color="tab:blue",
        linewidth=0.5, arrowsize=0.6, density=1.1,
    )  # fmt: skip


def _frame(axis: Axes, portrait: Portrait, heading: str) -> None:
    low, high = portrait.box()
    axis.set_xlim(low[0], high[0])
    axis.set_ylim(low[1], high[1])
    first, second = portrait.system.planes[0]
    many = len(portrait.system.planes) > 1
    if many:
        axis.set_aspect("equal")
    axis.set_xlabel("x" if many else portrait.system.columns[first])
    axis.set_ylabel("y" if many else portrait.system.columns[second])
    axis.set_title(heading)
    axis.tick_params(labelsize=7)
