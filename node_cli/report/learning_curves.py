"""The validation of each epoch, from ``metrics.jsonl``."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path

from node_cli.report.recorded_values import number
from node_cli.run_folder.recorded_file import open_recorded

_LONGEST_LINE = 2**20  # bytes


def curve(folder: Path, tag: str) -> list[tuple[float, float]]:
    """Epoch and value wherever ``tag`` was logged, in order; of one epoch the newest value.

    Args:
        folder: the run folder.
        tag: such as ``accuracy/val``.
    """
    mark = (json.dumps(tag) + ":").encode()
    points: dict[float, float] = {}
    # A file that is none, or cannot be read, has no curve.
    with suppress(OSError, ValueError), open_recorded(folder / "metrics.jsonl") as lines:
        while line := lines.readline(_LONGEST_LINE):
            # Most lines are of training steps; only those of the tag are worth being parsed.
            if mark in line:
                # A line that was cut, or that no run has written.
                with suppress(ValueError, KeyError, TypeError, RecursionError):
                    logged = json.loads(line)
                    epoch, value = number("epoch", logged["epoch"]), number(tag, logged[tag])
                    if math.isfinite(epoch) and math.isfinite(value):
                        points[epoch] = value
    return sorted(points.items())
