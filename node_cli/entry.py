"""Where the commands begin.

Nothing heavy is imported before signals are seen to: one that comes while Python imports torch, or
after a run has ended, then ends the process at once and without a traceback. A run answers signals
in its own way; the other commands are interrupted, so that they leave no half-written file.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

_SHOW_CURSOR = b"\x1b[?25h"


def node_train() -> None:
    """The command ``node-train``."""
    _answer_signals(_end)
    from node_cli.cli import node_train as command
    from node_cli.streams import with_sturdy_streams

    sys.exit(with_sturdy_streams(command, sys.argv[1:]))


def node_flow() -> None:
    """The command ``node-flow``."""
    _answer_signals(_end)
    from node_cli.flow_cli import node_flow as command

    sys.exit(_interruptible(command))


def node_predict() -> None:
    """The command ``node-predict``."""
    _answer_signals(_end)
    from node_cli.predict_cli import node_predict as command

    sys.exit(_interruptible(command))


def node_report() -> None:
    """The command ``node-report``."""
    _answer_signals(_end)
    from node_cli.report_cli import node_report as command

    sys.exit(_interruptible(command))


def node_new() -> None:
    """The command ``node-new``."""
    _answer_signals(_end)
    from node_cli.new_cli import node_new as command

    sys.exit(_interruptible(command))


def _interruptible(command: Callable[[Sequence[str]], int]) -> int:
    """Call a command that the first signal interrupts, and a second one ends at once."""
    from node_cli.streams import with_sturdy_streams

    came: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        _answer_signals(_end)
        came.append(number)
        raise KeyboardInterrupt

    _answer_signals(interrupt)
    try:
        code = with_sturdy_streams(command, sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    _answer_signals(_end)
    return 128 + came[0] if came else code


def _answer_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    with suppress(OSError):  # a progress bar has hidden it
        if os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb":
            os.write(1, _SHOW_CURSOR)
    os._exit(128 + number)
