"""Ctrl-C and SIGTERM as a request that the loop answers between two steps."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_EVERY = 1.0  # seconds between two looks for the file


class StopRequest:
    """Inside the ``with`` block, the first signal is remembered instead of ending the process.

    A second one ends it at once, as without us: somebody who presses Ctrl-C twice means it.

    Args:
        file: whose presence counts as a SIGTERM; None for none.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.signal_number: int | None = None
        self._file = file
        self._next_look = 0.0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def __bool__(self) -> bool:
        """Whether a stop was asked for."""
        if self._file is not None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _EVERY
            if self.signal_number is None and self._file.exists():
                self.signal_number = signal.SIGTERM
        return self.signal_number is not None

    @property
    def signal_name(self) -> str:
        """The name of the signal that came, such as ``SIGINT``."""
        return signal.Signals(self.signal_number or signal.SIGINT).name

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signal_number = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
