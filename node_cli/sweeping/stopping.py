"""How a sweep is told to stop, wherever its cells run."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from rich.console import Console

from node_cli.errors import Interrupted
from node_cli.sweeping.plan import SweepPlan

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_file(folder: Path) -> Path:
    """The file whose presence tells the cells of a sweep to stop; it reaches other machines too."""
    return folder / ".stop"


class Stopping:
    """Inside the ``with`` block, Ctrl-C and SIGTERM stop the sweep so that it can be continued.

    Cells that run in turn are stopped by the signal itself. Others see the stop file: those that
    run write a checkpoint, those that wait do not begin. A second signal ends the process at once.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: SweepPlan) -> None:
        self._plan = plan
        self._file = stop_file(plan.folder)
        self._previous: dict[int, Any] = {}
        self.signal_number: int | None = None

    def __enter__(self) -> Stopping:
        self._file.unlink(missing_ok=True)
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._restore()
        self.signal_number = number
        if self._plan.in_turn:
            raise Interrupted("stopped between two cells", number)
        self._file.touch()
        Console(stderr=True).print("stopping: the cells that run write their checkpoints")

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
