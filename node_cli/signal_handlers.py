"""Ctrl-C and SIGTERM, answered in another way for a while."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalHandlers:
    """Inside the ``with`` block, ``handler`` answers both signals, until ``restore`` is called.

    Args:
        handler: as ``signal.signal`` takes it.
    """

    def __init__(self, handler: Callable[[int, FrameType | None], None]) -> None:
        self._handler = handler
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> SignalHandlers:
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._handler)
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Put back what answered before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
