"""The log file of a run, in its own folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from node_cli.run_folder.writing import open_to_append

_FILE = "node-train.log"
_FORMAT = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")


@contextmanager
def logged_to(folder: Path) -> Iterator[None]:
    """Inside the ``with`` block, what is logged is written to the log file of a run.

    The file tells what each process did and when; a run that is resumed goes on in it.

    Args:
        folder: the run folder.

    Raises:
        WritingError: a link or no file is in its place.
        OSError: it cannot be opened.
    """
    handler = LogFile(str(folder / _FILE))
    handler.setFormatter(_FORMAT)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


class LogFile(logging.FileHandler):
    """Appends to a file, but not through a link; a full disk costs lines of the log and no more."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(open_to_append(Path(self.baseFilename)), encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: logging would print a traceback; the run itself tells that the disk is full."""
