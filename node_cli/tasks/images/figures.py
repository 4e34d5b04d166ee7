"""Figures of a classifier's answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from node_cli.figures.canvas import new_figure
from node_cli.tasks.images.calibration import BINS, calibration_error, reliability

_COLUMNS = 8


def labelled_samples(
    images: NDArray[np.float32],
    truth: NDArray[np.int64],
    guess: NDArray[np.int64],
    classes: Sequence[str],
    data: str,
    inverted: bool,
) -> Figure:
    """Images with the predicted class; wrong ones also name the true class, in red.

    Args:
        images: ``[N, H, W, C]``, values in ``[0, 1]``, grey or red, green and blue.
        truth: true classes, at least ``N``.
        guess: predicted classes, at least ``N``.
        classes: the classes' names.
        data: the name of the data set, for the title.
        inverted: what is bright in grey images is drawn dark.
    """
    rows = -(-len(images) // _COLUMNS)
    figure = new_figure(1.1 * _COLUMNS, 1.3 * rows + 0.4)
    figure.suptitle(f"{data}: predictions on validation images")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, image, true, guessed in zip(axes, images, truth, guess, strict=False):
        axis.imshow(image, cmap="gray_r" if inverted else "gray", vmin=0.0, vmax=1.0)
        right = true == guessed
        title = classes[guessed] if right else f"{classes[guessed]} (is {classes[true]})"
        axis.set_title(title, fontsize=9, color="black" if right else "tab:red")
    return figure


def reliability_diagram(probabilities: Tensor, labels: Tensor, data: str) -> Figure:
    """How often answers are right against how sure they are, and how many are so sure.

    Args:
        probabilities: ``[N, classes]``.
        labels: the true classes, ``[N]``.
        data: the name of the data set, for the title.
    """
    share, confidence, accuracy = reliability(probabilities, labels).numpy()
    there = share > 0
    edges = np.linspace(0.0, 1.0, BINS + 1)
    figure = new_figure(5.2, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot((0, 1), (0, 1), color="0.5", linestyle="--", linewidth=0.8, label="as sure as right")
    upper.bar(edges[:-1], accuracy, width=1 / BINS, align="edge", color="tab:blue", alpha=0.35)
    upper.plot(confidence[there], accuracy[there], "o-", color="tab:blue", label="validation")
    upper.set_ylabel("share of right answers")
    upper.set_ylim(0.0, 1.02)
    upper.set_title(f"{data}: calibration error {calibration_error(probabilities, labels):.4f}")
    upper.legend(loc="upper left")
    lower.bar(edges[:-1], share, width=1 / BINS, align="edge", color="0.6")
    lower.set_yscale("log")
    lower.set_ylabel("share of answers")
    lower.set_xlabel("confidence of the answer")
    return figure
