"""Figures of the bouncing ball."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from node_cli.figures.canvas import new_figure
from node_cli.tasks.bouncing_ball.schema import BouncesConfig

Floats = NDArray[np.float32]

_UNITS = {"gravity": "m/s$^2$", "height": "m", "velocity": "m/s", "ground": "m"}


def heights(
    config: BouncesConfig,
    observed: tuple[Floats, Floats],
    predicted: tuple[Floats, Floats],
    impacts: Floats,
    title: str,
) -> Figure:
    """Heights against the time: observed, true and predicted, with the impacts.

    Args:
        config: the true ball.
        observed: times and heights of the training.
        predicted: times up to the horizon, increasing, and heights of the model.
        impacts: their times, as the model has them.
        title: the title.
    """
    figure = new_figure(8.5, 3.8)
    axis = figure.subplots()
    times = predicted[0]
    true_times = [impact.time for impact in config.flight.impacts_until(config.horizon)]
    axis.plot(times, config.flight.heights(times.tolist()), color="0.75", linewidth=4, label="true")
    axis.plot(*predicted, color="tab:blue", linewidth=1.4, label="predicted")
    axis.scatter(*observed, s=9, color="black", zorder=3, label="observed in training")
    ground = np.full(len(true_times), config.ground)
    axis.plot(true_times, ground, "|", color="0.35", markersize=16, label="true impact")
    ground = np.full(len(impacts), config.ground)
    axis.plot(
        impacts, ground, "o", color="tab:red", fillstyle="none", markersize=7, zorder=4,
        label="predicted impact",
    )  # fmt: skip
    axis.axvspan(config.window, config.horizon, color="0.93", zorder=0)
    axis.text(
        (config.window + config.horizon) / 2, 0.97, "not seen in training", ha="center", va="top",
        transform=axis.get_xaxis_transform(), fontsize=9,
    )  # fmt: skip
    axis.set_xlim(0.0, config.horizon)
    axis.set_xlabel("time, s")
    axis.set_ylabel("height, m")
    axis.set_title(title)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def learned_by_epoch(
    history: Sequence[Mapping[str, float]], truth: Mapping[str, float], title: str
) -> Figure:
    """What is learned against the epoch, a panel each, with the truth.

    Args:
        history: a mapping of tag to value for each epoch.
        truth: by name.
        title: the title.
    """
    figure = new_figure(2.6 * len(truth), 2.9)
    figure.suptitle(title)
    axes = figure.subplots(1, len(truth), squeeze=False)[0]
    epochs = range(1, len(history) + 1)
    for axis, (name, value) in zip(axes, truth.items(), strict=True):
        axis.plot(epochs, [epoch[f"{name}/val"] for epoch in history], color="tab:blue")
        axis.axhline(value, color="black", linestyle="--", linewidth=1, label="true")
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axis.set_xlabel("epoch")
        axis.set_title(f"{name}, {_UNITS[name]}" if name in _UNITS else name, fontsize=10)
        axis.grid(alpha=0.3)
    axes[0].legend()
    return figure
