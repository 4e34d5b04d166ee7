"""Signals that ask a process to end, answered in another way for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

# Ctrl-C, what ``kill`` and batch systems send, and the end of a terminal or of its connection.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalHandlers:
    """Inside the ``with`` block, ``handler`` answers these signals, until ``restore`` is called.

    A SIGHUP that is ignored, as under ``nohup``, stays so. Python lets only the main thread answer
    signals: in another one, where a launcher may run a cell, this does nothing.

    Args:
        handler: as ``signal.signal`` takes it.
    """

    def __init__(self, handler: Callable[[int, FrameType | None], None]) -> None:
        self._handler = handler
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> SignalHandlers:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING_SIGNALS:
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._handler)
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Put back what answered before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


def ignore_the_terminal() -> None:
    """From now on let Ctrl-C and the end of a terminal be the business of another process."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
