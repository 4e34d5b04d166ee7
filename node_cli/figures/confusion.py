"""Which classes a classifier takes for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure

_MOST_NUMBERS = 20  # classes whose counts are written into the cells


def confusion_matrix(
    truth: NDArray[np.int64], guess: NDArray[np.int64], classes: Sequence[str], data: str
) -> Figure:
    """How many examples of each true class (rows) were given each class (columns).

    Args:
        truth: true classes, from 0, ``[N]``.
        guess: predicted classes, ``[N]``.
        classes: the classes' names.
        data: the name of the data set, for the title.
    """
    n = len(classes)
    counts = np.bincount(truth * n + guess, minlength=n * n).reshape(n, n)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(6.2, 5.6)
    axis = figure.subplots()
    picture = axis.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    figure.colorbar(picture, ax=axis, label="share of the true class")
    for row in range(n):
        for column in range(n):
            if counts[row, column] and n <= _MOST_NUMBERS:
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
