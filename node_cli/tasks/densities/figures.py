"""Figures of densities, samples and paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure
from node_cli.figures.gif import animated_gif

Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]  # left, right, bottom, top

_BINS = 100
_MOST_PAIRS = 4


class Frame(NamedTuple):
    """A moment of an animation.

    Attributes:
        label: what is written above it.
        samples: ``[N, 2]``.
        density: ``[rows, columns]``, the first row at the bottom.
    """

    label: str
    samples: Floats
    density: Floats


def density_panels(
    data: Floats, samples: Floats, density: Floats, truth: Floats | None, box: Box, title: str
) -> Figure:
    """Points of the data, samples of the model, its density, and the true one where it is known.

    Args:
        data: ``[N, 2]``.
        samples: ``[M, 2]``.
        density: ``[rows, columns]``, the first row at the bottom.
        truth: likewise; None: not known.
        box: what the panels show.
        title: of the whole.
    """
    panels = 3 if truth is None else 4
    figure = new_figure(3.1 * panels, 3.6)
    figure.suptitle(title)
    axes = figure.subplots(1, panels)
    _histogram(axes[0], data, box, "data")
    _histogram(axes[1], samples, box, "samples of the model")
    top = float(density.max()) if truth is None else max(float(density.max()), float(truth.max()))
    picture = _picture(axes[2], density, box, top, "density of the model")
    if truth is not None:
        picture = _picture(axes[3], truth, box, top, "true density")
    figure.colorbar(picture, ax=axes[-1], shrink=0.8)
    return figure


def flow_paths(paths: Floats, title: str) -> Figure:
    """The way of points from the base to the data.

    Args:
        paths: ``[places, N, 2]``; the first place is the base.
        title: the title.
    """
    figure = new_figure(5.2, 4.8)
    axis = figure.subplots()
    places = len(paths)
    pieces = np.stack((paths[:-1], paths[1:]), axis=2).reshape(-1, 2, 2)
    shares = np.repeat(np.arange(1, places) / (places - 1), paths.shape[1])
    lines = LineCollection(list(pieces), array=shares, cmap="viridis", linewidths=0.5)
    lines.set_clim(0.0, 1.0)
    axis.add_collection(lines)
    axis.scatter(
        paths[0, :, 0],
        paths[0, :, 1],
        s=10,
        marker="o",
        facecolors="none",
        edgecolors="gray",
        label="base",
    )
    axis.scatter(
        paths[-1, :, 0],
        paths[-1, :, 1],
        s=10,
        marker="x",
        color="black",
        linewidths=0.8,
        label="data",
    )
    figure.colorbar(lines, ax=axis, label="share of the way from the base to the data")
    axis.set_aspect("equal")
    axis.set_title(title)
    axis.legend(loc="upper right")
    return figure


def animation(frames: Iterable[Frame], box: Box, title: str, seconds: float = 0.12) -> bytes:
    """An animated GIF of samples and density; the last frame stays for a while.

    Args:
        frames: in the order of time.
        box: what is shown.
        title: above each frame.
        seconds: a frame.
    """

    def pictures() -> Iterator[NDArray[np.uint8]]:
        film = None
        for frame in frames:
            film = film or _Film(frame, box, title)
            yield film.drawn(frame)

    return animated_gif(pictures(), seconds)


class _Film:
    """A figure that is laid out once, in which only what changes is drawn for each frame.

    Args:
        first: the frame that it is laid out with.
        box: what is shown.
        title: above each frame.
    """

    def __init__(self, first: Frame, box: Box, title: str) -> None:
        self._box, self._title = box, title
        figure = new_figure(6.6, 3.6)
        left, right = figure.subplots(1, 2)
        self._heading = figure.suptitle(f"{title}, {first.label}")
        self._samples = _histogram(left, first.samples, box, "samples")
        self._density = _picture(right, first.density, box, float(first.density.max()), "density")
        # From below; the borders of the panels lie on the edges of what is in them.
        self._changing: list[Artist] = [
            self._heading,
            self._samples,
            *left.spines.values(),
            self._density,
            *right.spines.values(),
        ]
        for artist in self._changing:
            artist.set_animated(True)
        assert isinstance(figure.canvas, FigureCanvasAgg)
        self._canvas = figure.canvas
        self._canvas.draw()
        self._unchanging = self._canvas.copy_from_bbox(figure.bbox)

    def drawn(self, frame: Frame) -> NDArray[np.uint8]:
        """A frame as a picture, ``[height, width, 3]``."""
        self._heading.set_text(f"{self._title}, {frame.label}")
        counts = _counts(frame.samples, self._box)
        self._samples.set_array(counts)
        self._samples.set_clim(counts.min(), counts.max())
        self._density.set_data(frame.density)
        self._density.set_clim(0.0, float(frame.density.max()) or None)
        self._canvas.restore_region(self._unchanging)
        for artist in self._changing:
            artist.draw(self._canvas.get_renderer())
        return np.array(self._canvas.buffer_rgba())[..., :3].copy()


def pair_plots(data: Floats, samples: Floats, columns: Sequence[str], title: str) -> Figure:
    """Each pair of the first columns, data below the diagonal, samples above, marginals on it.

    Args:
        data: ``[N, d]``.
        samples: ``[M, d]``.
        columns: d names.
        title: of the whole.
    """
    shown = min(_MOST_PAIRS, data.shape[1])
    figure = new_figure(2.3 * shown + 0.6, 2.3 * shown + 0.6)
    figure.suptitle(title)
    axes = figure.subplots(shown, shown, squeeze=False)
    low = np.quantile(data, 0.001, axis=0)
    high = np.quantile(data, 0.999, axis=0)
    margin = 0.15 * (high - low)
    low, high = low - margin, high + margin
    for row in range(shown):
        for column in range(shown):
            axis = axes[row, column]
            if row == column:
                bins = np.linspace(low[row], high[row], 40).tolist()
                axis.hist(data[:, row], bins, density=True, alpha=0.4, label="data")
                axis.hist(
                    samples[:, row], bins, density=True, histtype="step", color="black",
                    label="samples",
                )  # fmt: skip
                if row == 0:
                    axis.legend(fontsize=7)
            else:
                points, marker = (data, "o") if row > column else (samples, "x")
                axis.scatter(points[:, column], points[:, row], s=4, marker=marker, linewidths=0.5)
                axis.set_ylim(low[row], high[row])
            axis.set_xlim(low[column], high[column])
            axis.tick_params(labelsize=7)
            if row == shown - 1:
                axis.set_xlabel(columns[column], fontsize=8)
            if column == 0:
                axis.set_ylabel(columns[row], fontsize=8)
    return figure


def _histogram(axis: Axes, points: Floats, box: Box, title: str) -> QuadMesh:
    edges = (np.linspace(box[0], box[1], _BINS + 1), np.linspace(box[2], box[3], _BINS + 1))
    mesh = axis.pcolormesh(*edges, _counts(points, box), cmap="viridis")
    _frame(axis, box, title)
    return mesh


def _counts(points: Floats, box: Box) -> NDArray[np.float64]:
    """Points in each cell of the box, ``[rows, columns]``, the first row at the bottom."""
    area = ((box[0], box[1]), (box[2], box[3]))
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=_BINS, range=area)
    return counts.T


def _picture(axis: Axes, density: Floats, box: Box, top: float, title: str) -> AxesImage:
    picture = axis.imshow(
        density, extent=box, origin="lower", cmap="viridis", vmin=0.0, vmax=top or None
    )
    _frame(axis, box, title)
    return picture


def _frame(axis: Axes, box: Box, title: str) -> None:
    axis.set_xlim(box[0], box[1])
    axis.set_ylim(box[2], box[3])
    axis.set_aspect("equal")
    axis.set_title(title, fontsize=10)
    axis.tick_params(labelsize=7)
