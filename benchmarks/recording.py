"""Logging scalars and figures: our recorder beside torch's SummaryWriter, in turns."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from node_cli.figures.curves import curves_by_epoch
from node_cli.training.recorder import Recorder

STEPS = 5_000
TURNS = 5
VALUES = {f"tag/{number}": 0.1 * number for number in range(8)}


def main() -> None:
    """Print the medians and their ratio."""
    print("| what | SummaryWriter, s | ours, s | ours / theirs |")
    print("|---|---|---|---|")
    pairs: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
        f"{STEPS} steps of {len(VALUES)} scalars, also to metrics.jsonl": (
            their_scalars,
            our_scalars,
        ),
        "four figures, also to PNG files": (their_figures, our_figures),
    }
    for name, (theirs, ours) in pairs.items():
        turns = [(seconds(theirs), seconds(ours)) for _ in range(TURNS + 1)][1:]
        ratio = statistics.median(b / a for a, b in turns)
        a, b = (statistics.median(column) for column in zip(*turns, strict=True))
        print(f"| {name} | {a:.3f} | {b:.3f} | {ratio:.2f} |", flush=True)


def seconds(log: Callable[[Path], None]) -> float:
    """How long it takes in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        log(Path(folder))
        return time.perf_counter() - started


def their_scalars(folder: Path) -> None:
    """SummaryWriter, and a line of JSON."""
    with closing(SummaryWriter(str(folder))) as events, (folder / "lines").open("w") as lines:
        for step in range(STEPS):
            for tag, value in VALUES.items():
                events.add_scalar(tag, value, step)
            lines.write(json.dumps({"step": step, **VALUES}) + "\n")
            lines.flush()


def our_scalars(folder: Path) -> None:
    """The recorder does both."""
    with closing(Recorder(folder)) as recorder:
        recorder.begin()
        for step in range(STEPS):
            recorder.scalars(step, float(step), VALUES)


def their_figures(folder: Path) -> None:
    """Each figure is drawn for the file and again for TensorBoard."""
    with closing(SummaryWriter(str(folder))) as events:
        for name, figure in figures().items():
            figure.savefig(folder / f"{name}.png")
            events.add_figure(name, figure, 1)


def our_figures(folder: Path) -> None:
    """Each figure is drawn once."""
    with closing(Recorder(folder)) as recorder:
        recorder.begin()
        recorder.figures(1, figures())


def figures() -> dict[str, Figure]:
    """Four small ones."""
    history = [{"a": 1.0}, {"a": 2.0}]
    return {f"curve{n}": curves_by_epoch(history, {"a": "label"}, "y", "title") for n in range(4)}


if __name__ == "__main__":
    main()
