"""What the contestants took: a table, figures and a file for machines."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from side_by_side import Timing

OURS = "ours"
# Beside ours as it is.
COMPILED, CUDA_GRAPHS = "ours, compiled", "ours, CUDA graphs"
_COLOURS = {
    OURS: "#1f77b4",
    COMPILED: "#17becf",
    CUDA_GRAPHS: "#e377c2",
    "torchdiffeq": "#d62728",
    "diffrax": "#2ca02c",
    "torchode": "#9467bd",
    "torchdyn": "#ff7f0e",
}


@dataclass(frozen=True)
class Result:
    """One contestant at one work.

    Attributes:
        work: its name.
        settings: of the work.
        contestant: whose.
        seconds: of each turn.
        relative: to ours in the same turn: lower quartile, median, upper quartile.
        first: seconds of the first turn, with all that was compiled in it.
        value: of the last turn: a loss, or a mean of the solution.
        difference: of the value from ours, relative.
        peak: bytes of the GPU that the last turn took at once, above what stays between turns;
            None: nobody can tell.
    """

    work: str
    settings: dict[str, Any]
    contestant: str
    seconds: list[float]
    relative: tuple[float, float, float]
    first: float
    value: float
    difference: float
    peak: int | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def setting(self) -> str:
        """The settings in a few words."""
        if "T" in self.settings and "batch" in self.settings:
            gradient = ", gradient" if self.settings["gradient"] else ""
            return (
                f"{self.settings['batch']:,} x {self.settings['dimension']},"
                f" {self.settings['tolerance']:g}, T {self.settings['T']:g}{gradient}"
            )
        if "largest_mu" in self.settings:
            return f"mu up to {self.settings['largest_mu']:g}, {self.settings['tolerance']:g}"
        mode = {"full": "adjoint"}.get(self.settings["adjoint"], self.settings["adjoint"])
        return f"{mode}, {self.settings['rtol']:g}/{self.settings['atol']:g}"


def results(
    work: str,
    settings: dict[str, Any],
    found: Mapping[str, Timing],
    peaks: Mapping[str, int] | None = None,
) -> list[Result]:
    """Of all contestants at a work; ``peaks`` of memory, of those of which it is known."""
    ours, wanted = found[OURS].seconds, found[OURS].values[-1]
    listed = []
    for name, timing in found.items():
        ratios = [a / b for a, b in zip(timing.seconds, ours, strict=True)]
        # Quartiles need two values; those of one turn are that turn.
        spread = ratios if len(ratios) > 1 else ratios * 2
        low, middle, high = statistics.quantiles(spread, n=4, method="inclusive")
        listed.append(
            Result(
                work,
                settings,
                name,
                timing.seconds,
                (low, middle, high),
                timing.warm_up[0],
                timing.values[-1],
                abs(timing.values[-1] - wanted) / (abs(wanted) or 1.0),
                (peaks or {}).get(name),
            )
        )
    return listed


HEAD = (
    "| work | setting | who | median, s | times ours (quartiles) | first turn, s | value |"
    " from ours | peak, MiB |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def row(result: Result) -> str:
    """A line of the table."""
    low, middle, high = result.relative
    peak = "" if result.peak is None else f"{result.peak / 2**20:.1f}"
    return (
        f"| {result.work} | {result.setting} | {result.contestant} | {result.median:.4g} |"
        f" {middle:.2f} ({low:.2f} to {high:.2f}) | {result.first:.2g} | {result.value:.6g} |"
        f" {result.difference:.0e} | {peak} |"
    )


def write(
    folder: Path, found: Sequence[Result], machine: Mapping[str, Any], notes: Sequence[str]
) -> None:
    """``results.json`` and ``results.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "notes": notes, "results": [asdict(one) for one in found]}
    unfinished = folder / "results.json.part"
    unfinished.write_text(json.dumps(content, indent=1) + "\n")
    unfinished.replace(folder / "results.json")  # whoever is stopped here leaves a whole file
    about = ", ".join(f"{name} {value}" for name, value in machine.items())
    lines = [about, "", HEAD, *(row(one) for one in found), "", *(f"- {note}" for note in notes)]
    (folder / "results.md").write_text("\n".join(lines) + "\n")


def draw(folder: Path, found: Sequence[Result]) -> None:
    """The figures."""
    beside = [one for one in found if one.work != "growth"]
    if beside:
        _beside(beside).savefig(folder / "beside.png", dpi=100)
    grown = [one for one in found if one.work == "growth"]
    if grown:
        _growth(grown).savefig(folder / "growth.png", dpi=100)


def _beside(found: Sequence[Result]) -> Figure:
    """How many times as long as ours each contestant takes at each work."""
    works = list(dict.fromkeys((one.work, one.setting) for one in found))
    figure = Figure(figsize=(8, 1.2 + 0.28 * len(works)), layout="constrained")
    axes = figure.subplots()
    for name in _names(found):
        chosen = [one for one in found if one.contestant == name and name != OURS]
        if not chosen:
            continue
        middle = [one.relative[1] for one in chosen]
        spread = [
            [one.relative[1] - one.relative[0] for one in chosen],
            [one.relative[2] - one.relative[1] for one in chosen],
        ]
        places = [works.index((one.work, one.setting)) for one in chosen]
        axes.errorbar(middle, places, xerr=spread, fmt="o", label=name, color=_COLOURS.get(name))
    axes.axvline(1.0, color=_COLOURS[OURS], label=OURS)
    axes.set_xscale("log")
    ends = [end for one in found for end in (one.relative[0], one.relative[2])]
    lowest, highest = 0.8 * min(ends), 1.25 * max(ends)
    ticks = [0.01, 0.03, 0.1, 0.25, 0.5, 1, 2, 4, 10, 25, 100]
    ticks = [tick for tick in ticks if lowest <= tick <= highest]
    axes.set_xlim(lowest, highest)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(works)), [f"{work}: {setting}" for work, setting in works])
    axes.invert_yaxis()
    axes.set_xlabel("time / ours (right of 1: ours is faster)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _growth(found: Sequence[Result]) -> Figure:
    """Seconds against each of the settings that was varied alone."""
    base = found[0].settings
    keys = [key for key in base if len({one.settings[key] for one in found}) > 1]
    rows, columns = (len(keys) + 1) // 2, min(len(keys), 2)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    for axes, key in zip(figure.subplots(rows, columns, squeeze=False).flat, keys, strict=False):
        alone = [
            one
            for one in found
            if all(value == base[name] for name, value in one.settings.items() if name != key)
        ]
        _lines(axes, alone, key)
    figure.axes[0].legend(fontsize=8)
    for axes in figure.axes[len(keys) :]:
        axes.remove()
    return figure


def _lines(axes: Axes, found: Sequence[Result], key: str) -> None:
    for name in _names(found):
        pairs = sorted((one.settings[key], one.median) for one in found if one.contestant == name)
        axes.plot(*zip(*pairs, strict=True), "o-", label=name, color=_COLOURS.get(name), ms=4)
    axes.set(xscale="log", yscale="log", xlabel=key, ylabel="seconds, solve and gradient")
    values = sorted({one.settings[key] for one in found})
    axes.set_xticks(values, [f"{value:g}" for value in values], fontsize=8)
    axes.xaxis.minorticks_off()
    axes.grid(alpha=0.3)


def _names(found: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(one.contestant for one in found))
