"""Where the commands begin.

Nothing heavy is imported before signals are seen to: one that comes while Python imports torch, or
after a run has ended, then ends the process at once and without a traceback. A run answers signals
in its own way.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def node_train() -> None:
    """The command ``node-train``."""
    _end_at_once_on_signals()
    from node_cli.cli import node_train as command
    from node_cli.streams import with_sturdy_streams

    sys.exit(with_sturdy_streams(command, sys.argv[1:]))


def node_flow() -> None:
    """The command ``node-flow``."""
    _end_at_once_on_signals()
    from node_cli.flow_cli import node_flow as command
    from node_cli.streams import with_sturdy_streams

    sys.exit(with_sturdy_streams(command, sys.argv[1:]))


def node_report() -> None:
    """The command ``node-report``."""
    _end_at_once_on_signals()
    from node_cli.report_cli import node_report as command
    from node_cli.streams import with_sturdy_streams

    sys.exit(with_sturdy_streams(command, sys.argv[1:]))


def _end_at_once_on_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
