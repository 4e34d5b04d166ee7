"""Figures of SDEs: drift and diffusion, paths, and their laws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from node_cli.figures.canvas import new_figure
from node_cli.tasks.dynamics.stochastic_systems import StochasticSystem
from node_cli.tasks.dynamics.system import Floats

if TYPE_CHECKING:
    from node_cli.tasks.dynamics.stochastic_task import Learned

_SHOWN = 24  # paths
_BINS = 30


def functions(
    learned: Learned, known: StochasticSystem | None, states: Floats, title: str
) -> Figure:
    """Learned and, where they are known, true drift and diffusion, over where the states are.

    Args:
        learned: along a line.
        known: the true SDE.
        states: of the data, ``[N, 1]``.
        title: of the whole.
    """
    figure = new_figure(8.0, 3.4)
    figure.suptitle(title)
    line = learned.states[:, None]
    truths = (None, None) if known is None else (known.derivative(line), known.diffusion(line))
    axes = figure.subplots(1, 2)
    for axis, name, values, truth in zip(
        axes, ("drift", "diffusion"), (learned.drift, learned.diffusion), truths, strict=True
    ):
        if truth is not None:
            axis.plot(learned.states, truth, color="0.7", linewidth=4.0, label="true")
        axis.plot(learned.states, values, color="tab:red", linewidth=1.4, label="learned")
        if name == "diffusion":
            axis.set_ylim(0.0, 1.3 * max(values.max(), 0.0 if truth is None else truth.max()))
        axis.set_xlabel("x")
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
        behind = axis.twinx()
        behind.hist(states[:, 0], bins=_BINS, density=True, color="tab:blue", alpha=0.15)
        behind.set_yticks([])
    axes[0].legend()
    return figure


def paths_and_law(
    times: Floats, states: Floats, sampled: Floats, columns: Sequence[str], title: str
) -> Figure:
    """Paths of the data, those of the model, and where both are at the end.

    Args:
        times: ``[P]``.
        states: of the data, ``[N, P, D]``.
        sampled: of the model from the same first states, ``[N, P, D]``.
        columns: the names of the D values.
        title: of the whole.
    """
    figure = new_figure(9.0, 2.2 * len(columns) + 0.8)
    figure.suptitle(title)
    axes = figure.subplots(
        len(columns), 3, squeeze=False, sharey="row", width_ratios=(1.0, 1.0, 0.5)
    )
    for row, name in enumerate(columns):
        kinds = (("data", states, "tab:blue"), ("model", sampled, "tab:red"))
        for column, (kind, values, colour) in enumerate(kinds):
            axis = axes[row, column]
            axis.plot(times, values[:_SHOWN, :, row].T, color=colour, linewidth=0.6, alpha=0.7)
            axis.set_xlabel("time")
            if row == 0:
                axis.set_title(kind, fontsize=10)
            axes[row, 2].hist(
                values[:, -1, row],
                bins=_BINS,
                range=(states[..., row].min(), states[..., row].max()),
                density=True,
                orientation="horizontal",
                color=colour,
                alpha=0.4,
                label=kind,
            )
        axes[row, 0].set_ylabel(name)
        axes[row, 2].set_xticks([])
    axes[0, 2].set_title("at the end", fontsize=10)
    axes[0, 2].legend(fontsize=8)
    return figure
