"""Figures of a classifier's answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure

_COLUMNS = 8


def labelled_samples(
    images: NDArray[np.float32],
    truth: NDArray[np.int64],
    guess: NDArray[np.int64],
    classes: Sequence[str],
    data: str,
) -> Figure:
    """Images with the predicted class; wrong ones also name the true class, in red.

    Args:
        images: ``[N, H, W]``, values in ``[0, 1]``.
        truth: true classes, at least ``N``.
        guess: predicted classes, at least ``N``.
        classes: the classes' names.
        data: the name of the data set, for the title.
    """
    rows = -(-len(images) // _COLUMNS)
    figure = new_figure(1.1 * _COLUMNS, 1.3 * rows + 0.4)
    figure.suptitle(f"{data}: predictions on validation images")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, image, true, guessed in zip(axes, images, truth, guess, strict=False):
        axis.imshow(image, cmap="gray_r", vmin=0.0, vmax=1.0)
        right = true == guessed
        title = classes[guessed] if right else f"{classes[guessed]} (is {classes[true]})"
        axis.set_title(title, fontsize=9, color="black" if right else "tab:red")
    return figure


def confusion_matrix(
    truth: NDArray[np.int64], guess: NDArray[np.int64], classes: Sequence[str], data: str
) -> Figure:
    """How many images of each true class (rows) were given each class (columns)."""
    n = len(classes)
    counts = np.bincount(truth * n + guess, minlength=n * n).reshape(n, n)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(6.2, 5.6)
    axis = figure.subplots()
    picture = axis.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    figure.colorbar(picture, ax=axis, label="share of the true class")
    for row in range(n):
        for column in range(n):
            if counts[row, column]:
                shade = "white" if shares[row, column] > 0.5 else "black"
                axis.text(
                    column, row, counts[row, column], ha="center", va="center", color=shade,
                    fontsize=8,
                )  # fmt: skip
    rotated = max(map(len, classes)) > 2
    axis.set_xticks(range(n), classes, rotation=45 if rotated else 0)
    axis.set_yticks(range(n), classes)
    axis.set_xlabel("predicted class")
    axis.set_ylabel("true class")
    axis.set_title(f"{data}: validation accuracy {(truth == guess).mean():.2%}")
    return figure
