"""Figures of what separates points: the answer where they begin, and their paths."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure

Floats = NDArray[np.float32]

_COLOURS = ("chocolate", "tab:blue")  # of the ball, of the shell
_NAMES = ("ball", "shell")


class Answers(NamedTuple):
    """What a model says of points.

    Attributes:
        x: points ``[N, d]``.
        shell: 1 for those of the shell, 0 for those of the ball, ``[N]``.
        answers: of the points, ``[N]``: above 0 it takes them for the shell's.
        grid: coordinates ``[G]`` of a grid along each dimension; empty with more than two.
        on_grid: answers there: ``[G]``, or ``[G, G]`` with rows along the second coordinate.
    """

    x: Floats
    shell: Floats
    answers: Floats
    grid: Floats
    on_grid: Floats


class Paths(NamedTuple):
    """States of points on their way.

    Attributes:
        times: from 0 to 1, ``[P]``.
        states: ``[P, N, S]``; a point's own values are the first.
        shell: 1 for points of the shell, 0 for those of the ball, ``[N]``.
        dimensions: d, the values of a point.
        lifted: whether the values that were added to a point are to be seen too.
        weight: of the linear head, for the first values of a state.
        bias: of the linear head.
    """

    times: Floats
    states: Floats
    shell: Floats
    dimensions: int
    lifted: bool
    weight: Floats
    bias: float


def flow(answers: Answers, paths: Paths, title: str) -> Figure:
    """The answer over the space of the points, and beside it their paths to the head.

    Paths are drawn against time for states of one value, else in the plane, or in space, of the
    first values of the state. Where these are all that the head reads, what divides the classes at
    the end is drawn too.
    """
    figure = new_figure(10.5, 4.6)
    figure.suptitle(title)
    left = figure.add_subplot(1, 2, 1)
    _draw_answers(left, answers)
    shown = _shown(paths)
    if shown == 3:
        _in_space(figure.add_subplot(1, 2, 2, projection="3d"), paths)
    elif shown == 2:
        _in_the_plane(figure.add_subplot(1, 2, 2), paths)
    else:
        _against_time(figure.add_subplot(1, 2, 2), paths)
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=4, label=name)
        for colour, marker, name in zip(_COLOURS, "^o", _NAMES, strict=True)
    ]
    # Where there are no points.
    left.legend(
        handles=handles, loc="upper right" if paths.dimensions == 2 else "lower right", fontsize=8
    )
    return figure


def _shown(paths: Paths) -> int:
    """How many values of a state are drawn."""
    values = paths.states.shape[-1] if paths.lifted else paths.dimensions
    return min(values, 3 if paths.lifted and paths.dimensions == 2 else 2)


def _draw_answers(axis: Axes, answers: Answers) -> None:
    dimensions = answers.x.shape[1]
    if dimensions == 2:
        side = float(answers.grid[-1])
        drawn = axis.imshow(
            answers.on_grid,
            extent=(-side, side, -side, side),
            origin="lower",
            cmap="RdBu",
            vmin=-1.5,
            vmax=1.5,
            alpha=0.55,
        )
        axis.figure.colorbar(drawn, ax=axis, label="answer: ball -1, shell 1", shrink=0.8)
        axis.contour(answers.grid, answers.grid, answers.on_grid, [0.0], colors="black")
        _scatter(axis, answers.x[:, 0], answers.x[:, 1], answers.shell, size=5)
        axis.set_xlabel("$x_1$")
        axis.set_ylabel("$x_2$")
    elif dimensions == 1:
        axis.plot(answers.grid, answers.on_grid, color="black", label="answer")
        _scatter(axis, answers.x[:, 0], 2 * answers.shell - 1, answers.shell, size=8)
        axis.axhline(0.0, color="gray", linewidth=0.8)
        axis.set_xlabel("x")
        axis.set_ylabel("answer (line) and truth (points)")
    else:
        radius = np.linalg.norm(answers.x, axis=1)
        _scatter(axis, radius, answers.answers, answers.shell, size=6)
        axis.axhline(0.0, color="gray", linewidth=0.8)
        axis.set_xlabel("distance from the centre")
        axis.set_ylabel("answer: ball -1, shell 1")
    axis.set_title("what the model says")


def _scatter(axis: Axes, x: Floats, y: Floats, shell: Floats, size: float) -> None:
    for group, (colour, marker) in enumerate(zip(_COLOURS, "^o", strict=True)):
        chosen = shell == group
        axis.scatter(x[chosen], y[chosen], s=size, color=colour, marker=marker, linewidths=0)


def _against_time(axis: Axes, paths: Paths) -> None:
    for number, group in enumerate(paths.shell.astype(int)):
        axis.plot(paths.times, paths.states[:, number, 0], color=_COLOURS[group], linewidth=0.8)
    weight = float(paths.weight[0])
    divided = paths.states.shape[-1] == 1 and weight != 0
    if divided:
        axis.axhline(-paths.bias / weight, color="black", linestyle="--", linewidth=1.0)
        low, high = float(paths.states.min()), float(paths.states.max())
        margin = 0.05 * (high - low)
        axis.set_ylim(low - margin, high + margin)
    axis.set_xlabel("t")
    axis.set_ylabel("x(t)")
    axis.set_title("paths; dashed: the head" if divided else "paths")


def _in_the_plane(axis: Axes, paths: Paths) -> None:
    first, second = paths.states[..., 0], paths.states[..., 1]
    _draw_paths(axis, paths, first, second)
    low, high = _range(first), _range(second)
    axis.set_xlim(*low)
    axis.set_ylim(*high)
    title = "paths, to the large marks"
    if len(paths.weight) == 2 and float(paths.weight[1]):
        slope = -float(paths.weight[0]) / float(paths.weight[1])
        start = (0.0, -paths.bias / float(paths.weight[1]))
        axis.axline(start, slope=slope, color="black", linestyle="--", linewidth=1.0)
        title += "; dashed: the head"
    axis.set_xlabel("$x_1$" if paths.dimensions > 1 else "x")
    axis.set_ylabel("$x_2$" if paths.dimensions > 1 else "added value")
    axis.set_title(title)


def _in_space(axis: Any, paths: Paths) -> None:
    _draw_paths(axis, paths, *np.moveaxis(paths.states[..., :3], -1, 0))
    axis.set_xlabel("$x_1$")
    axis.set_ylabel("$x_2$")
    axis.set_zlabel("added value")
    axis.locator_params(nbins=5)
    axis.view_init(elev=18, azim=-60)
    axis.set_title("paths, to the large marks")


def _draw_paths(axis: Any, paths: Paths, *values: Floats) -> None:
    for number, group in enumerate(paths.shell.astype(int)):
        coordinates = [value[:, number] for value in values]
        axis.plot(*coordinates, color=_COLOURS[group], linewidth=0.6, alpha=0.7)
    for group, (colour, marker) in enumerate(zip(_COLOURS, "^o", strict=True)):
        chosen = paths.shell == group
        for place, size in ((0, 3), (-1, 16)):
            ends = [value[place, chosen] for value in values]
            axis.scatter(*ends, s=size, color=colour, marker=marker, linewidths=0)


def _range(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
