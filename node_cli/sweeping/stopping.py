"""How a sweep is told to stop, wherever its cells run."""

from __future__ import annotations

from pathlib import Path
from types import FrameType

from node_cli.console import line_console
from node_cli.errors import Interrupted
from node_cli.signal_handlers import SignalHandlers
from node_cli.sweeping.plan import SweepPlan


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
        self._handlers = SignalHandlers(self._stop)
        self.signal_number: int | None = None

    def __enter__(self) -> Stopping:
        self._file.unlink(missing_ok=True)
        self._handlers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.restore()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._handlers.restore()
        self.signal_number = number
        if self._plan.in_turn:
            raise Interrupted("stopped between two cells", number)
        self._file.touch()
        line_console(stderr=True).print("stopping: the cells that run write their checkpoints")
