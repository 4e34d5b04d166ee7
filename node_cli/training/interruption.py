"""A signal as a request that the loop answers between two steps."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from node_cli.signal_handlers import SignalHandlers

_EVERY = 1.0  # seconds between two looks at the file and at the parent


class StopRequest:
    """Inside the ``with`` block, the first signal is remembered instead of ending the process.

    A second one ends it at once, as without us: somebody who presses Ctrl-C twice means it.

    Args:
        file: whose presence counts as a SIGTERM; None for none.
        orphaned: says whether the process that started this one has died, which counts as a
            SIGTERM; None where it does not matter. The workers of a sweep whose process was killed
            would go on else, beside those that continue the sweep.
    """

    def __init__(
        self, file: Path | None = None, orphaned: Callable[[], bool] | None = None
    ) -> None:
        self.signal_number: int | None = None
        self._file, self._orphaned = file, orphaned
        self._next_look = 0.0
        self._handlers = SignalHandlers(self._remember)

    def __enter__(self) -> StopRequest:
        self._handlers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.restore()

    def __bool__(self) -> bool:
        """Whether a stop was asked for."""
        if self.signal_number is None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _EVERY
            orphaned = self._orphaned is not None and self._orphaned()
            if orphaned or (self._file is not None and self._file.exists()):
                self.signal_number = signal.SIGTERM
        return self.signal_number is not None

    @property
    def signal_name(self) -> str:
        """The name of the signal that came, such as ``SIGINT``."""
        return signal.Signals(self.signal_number or signal.SIGINT).name

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signal_number = number
        self._handlers.restore()
