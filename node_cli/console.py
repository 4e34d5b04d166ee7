"""Where lines for the user go."""

from __future__ import annotations

from rich.console import Console


def line_console(stderr: bool = False) -> Console:
    """A console that prints text as it is; in a file or a pipe a line has room for wide tables.

    Args:
        stderr: standard error instead of standard output.
    """
    console = Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 200
    return console


def tell_the_start(progress: str) -> None:
    """Print a line at once: to import torch takes seconds, on a slow disk many.

    Args:
        progress: ``trainer.progress``; ``off`` prints nothing.
    """
    if progress != "off":
        line_console().print("starting ...")
