"""The processes in which a launcher runs cells end when the process of the sweep is gone."""

from __future__ import annotations

import os
import threading
import time
from functools import lru_cache

_EVERY = 1.0  # seconds between two looks at the parent

# The process that started this one, in which a launcher has imported this module.
PARENT = os.getppid()

# Held while a cell runs, which first stops by itself and writes its checkpoint.
CELL_RUNS = threading.Lock()


def is_orphan() -> bool:
    """Whether the process that started this one has died."""
    return os.getppid() != PARENT


@lru_cache(maxsize=1)
def end_when_orphaned() -> None:
    """End this process soon after the one that started it has died, as by a SIGKILL.

    Launchers keep workers waiting for further cells for minutes, each with the memory of torch.
    """
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while not is_orphan():
        time.sleep(_EVERY)
    with CELL_RUNS:
        os._exit(0)
