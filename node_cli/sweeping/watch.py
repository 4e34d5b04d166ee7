"""Tells how far a sweep is whose cells run in other processes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from node_cli.console import line_console
from node_cli.plain_text import one_line
from node_cli.report.cell_table import cell_name
from node_cli.report.columns import ERROR, column
from node_cli.report.record import metrics_of, read_record
from node_cli.sweeping.plan import SweepPlan
from node_cli.sweeping.stopping import stop_file
from node_cli.sweeping.time_left import time_left

_EVERY = 1.0  # seconds between two looks at the folder


class Watch:
    """Inside the ``with`` block, prints a line for each cell that comes to its end.

    It looks for their summaries in the folder of the sweep, which works with every launcher and on
    a cluster as well. Where the cells run in turn they tell of themselves, and this does nothing.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: SweepPlan) -> None:
        self._plan = plan
        self._console = line_console()
        self._seen: set[Path] = set()
        self._new = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_often, daemon=True)

    def __enter__(self) -> Watch:
        if not self._plan.in_turn:
            self._started = time.time()
            # A cell that failed or was interrupted before is tried again, and seen again.
            self._seen = {
                path for path in self._unseen() if read_record(path.parent).status == "finished"
            }
            before = f", {len(self._seen)} of them finished before" if self._seen else ""
            self._console.print(
                f"{self._plan.cells} cells{before} · launcher {self._plan.launcher}"
                f" · {self._plan.folder}",
                style="bold",
            )
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._over.set()
            self._thread.join()
            self._look()

    def _look_often(self) -> None:
        while not self._over.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        for path in self._unseen():
            if _written(path) >= self._started - 1.0:
                self._seen.add(path)
                self._new += 1
                self._tell(path.parent)

    def _tell(self, folder: Path) -> None:
        record = read_record(folder)
        how = record.status
        if record.status == "finished" and ERROR in record.values:
            error = column(ERROR, metrics_of([record]))
            how += f", {error.title} {error.shown(record.values[ERROR])}"
        elif record.cause:
            how += f": {one_line(record.cause)}"
        to_do = self._plan.cells - len(self._seen)
        left = ""
        if not stop_file(self._plan.folder).exists():
            left = time_left(time.time() - self._started, self._new, to_do)
        progress = f"{len(self._seen)} of {self._plan.cells}"
        if left:
            progress += f", about {left} left"
        name = " ".join(cell_name(folder)).strip()
        style = None if record.status == "finished" else "red"
        self._console.print(f"{progress} · cell {name} · {how}", style=style)

    def _unseen(self) -> list[Path]:
        found = set(self._plan.folder.glob("*/summary.json"))
        return sorted(found - self._seen, key=_written)


def _written(path: Path) -> float:
    """When a file was written; 0 for one that a cell which begins again has just removed."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
