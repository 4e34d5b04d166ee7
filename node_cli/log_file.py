"""The log file of a run, in its own folder."""

from __future__ import annotations

import logging
from io import TextIOWrapper
from pathlib import Path

from node_cli.writing import open_to_append


class LogFile(logging.FileHandler):
    """Appends to a file, but not through a link; a full disk costs lines of the log and no more."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(open_to_append(Path(self.baseFilename)), encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: logging would print a traceback; the run itself tells that the disk is full."""
