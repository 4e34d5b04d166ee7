"""The processes in which a launcher runs cells end when the process of the sweep is gone."""

from __future__ import annotations

import os
import threading
import time
from functools import lru_cache
from pathlib import Path

_EVERY = 1.0  # seconds between two looks

# Held while a cell runs, which first stops by itself and writes its checkpoint.
CELL_RUNS = threading.Lock()


def _starters() -> tuple[int, ...]:
    """The process that started this one, and with submitit on this machine who started that."""
    parent = os.getppid()
    if os.environ.get("SUBMITIT_EXECUTOR") != "local":
        return (parent,)
    return parent, _parent_of(parent)  # submitit's controller outlives the sweep


def _parent_of(process: int) -> int:
    """The parent of a process; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
        return int(status.rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


# As they were when a launcher imported this module in its process.
_STARTERS = _starters()


def is_orphan() -> bool:
    """Whether the process of the sweep, which started this one, has died."""
    return _starters() != _STARTERS


@lru_cache(maxsize=1)
def end_when_orphaned() -> None:
    """End this process soon after the sweep's has died, as by a SIGKILL.

    Launchers keep workers waiting for further cells for minutes, each with the memory of torch.
    """
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while not is_orphan():
        time.sleep(_EVERY)
    with CELL_RUNS:
        os._exit(0)
