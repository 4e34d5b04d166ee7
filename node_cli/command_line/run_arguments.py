"""The arguments of the commands that use a trained run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from node_cli.command import ABOUT_DEBUG, DEBUG
from node_cli.command_line.sentence_parser import SentenceParser


def run_arguments(output: Callable[[str], Path], about_output: str, plugin: str) -> SentenceParser:
    """A parent parser: a run, ``--output``, ``--plugin`` and ``--debug``.

    Args:
        output: makes a path of the text of ``--output``.
        about_output: what it may be.
        plugin: what the user's Python file brings.
    """
    shared = SentenceParser(add_help=False)
    shared.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    shared.add_argument(
        "-o", "--output", type=output, required=True, metavar="FILE", help=about_output
    )
    shared.add_argument(
        "--plugin",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"your Python file with {plugin} of the run",
    )
    shared.add_argument(DEBUG, action="store_true", help=ABOUT_DEBUG)
    return shared
