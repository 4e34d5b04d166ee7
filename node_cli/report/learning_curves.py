"""The validation of each epoch, from ``metrics.jsonl``."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path


def curve(folder: Path, tag: str) -> list[tuple[float, float]]:
    """Epoch and value of each time that ``tag`` was logged, in that order.

    Args:
        folder: the run folder.
        tag: such as ``accuracy/val``.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    mark = json.dumps(tag) + ":"
    points = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            # Most lines are of training steps; only those of the tag are worth being parsed.
            if mark in line:
                with suppress(ValueError, KeyError, TypeError):  # a line that was cut
                    logged = json.loads(line)
                    points.append((float(logged["epoch"]), float(logged[tag])))
    return points
