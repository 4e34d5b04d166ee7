"""Times to predict at, as they are written on a command line."""

from __future__ import annotations

import argparse
import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from node_cli.plain_text import shortened

MOST_TIMES = 1_000_000
_SHOWN = 40  # characters of what was given


def times(text: str) -> NDArray[np.float64]:
    """``START:STOP:STEP``, with the end where a step meets it, or numbers between commas.

    Returns:
        Increasing, float64 ``[P]``.
    """
    steps = ":" in text
    parts = text.split(":" if steps else ",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)) or (steps and len(numbers) != 3):
        raise argparse.ArgumentTypeError(
            f"{shortened(text, _SHOWN)} must be START:STOP:STEP, such as 0:10:0.1, or numbers such"
            " as 0,2.5,10"
        )
    if steps:
        return _in_steps(text, *numbers)
    for before, after in pairwise(numbers):
        if not before < after:
            raise argparse.ArgumentTypeError(
                f"{shortened(text, _SHOWN)}: {after:.15g} does not come after {before:.15g}; times"
                " must be in order, each once"
            )
    return np.array(numbers)


def _in_steps(text: str, start: float, stop: float, step: float) -> NDArray[np.float64]:
    if not (step > 0 and stop >= start):
        raise argparse.ArgumentTypeError(
            f"{shortened(text, _SHOWN)}: of START:STOP:STEP the step must be > 0 and the stop not"
            " before the start"
        )
    count = (stop - start) / step * (1 + 1e-12) + 1e-9
    if not count < MOST_TIMES:
        raise argparse.ArgumentTypeError(
            f"{shortened(text, _SHOWN)}: these are more than {MOST_TIMES} times; use a larger step"
        )
    return start + step * np.arange(int(count) + 1, dtype=np.float64)
