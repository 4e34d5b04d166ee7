"""How every command ends: with an exit code, and with what is wrong in one sentence."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence

from node_cli.errors import Interrupted, RunError, told

DEBUG = "--debug"
ABOUT_DEBUG = "show the traceback of an error"


def run_command(
    name: str,
    carry_out: Callable[[Sequence[str]], int | None],
    arguments: Sequence[str],
    traced: bool = False,
) -> int:
    """Carry a command out; what is wrong is told on standard error.

    Args:
        name: of the command, with which its messages begin.
        carry_out: what it does with its arguments; returns an exit code, or None for 0.
        arguments: of its command line. With ``--debug`` an error is shown with its traceback.
        traced: show it whatever the arguments say.

    Returns:
        The exit code: that of ``carry_out``; 1 for what failed; 2 for a command line or config
        that is not possible; 128 plus the number of the signal that stopped it.
    """
    traced = traced or DEBUG in arguments
    try:
        return carry_out(arguments) or 0
    except Interrupted as interruption:
        _say(name, str(interruption))
        return interruption.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if traced:
            traceback.print_exception(error)
        expected = isinstance(error, RunError | OSError)
        hint = "" if expected or traced else f" Run again with {DEBUG} for the traceback."
        for sentence in (told(error) + hint).splitlines():
            _say(name, sentence)
        return error.exit_code if isinstance(error, RunError) else 1


def _say(name: str, sentence: str) -> None:
    print(f"{name}: {sentence}", file=sys.stderr)
