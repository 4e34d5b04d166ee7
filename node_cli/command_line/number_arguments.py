"""Numbers as arguments of a command line."""

from __future__ import annotations

import argparse
import math

from node_cli.plain_text import shortened

_SHOWN = 40  # characters of what was given


def seed(text: str) -> int:
    """An integer that a generator of random numbers can begin with."""
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text} must be an integer from 0 to 9223372036854775807")
    return int(text)


def count(text: str) -> int:
    """An integer from 1 on."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"{shortened(text, _SHOWN)} must be an integer >= 1")
    return number


def positive(text: str) -> float:
    """A finite number above 0."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{shortened(text, _SHOWN)} must be a finite number > 0")
    return number


def share(text: str) -> float:
    """A number between 0 and 1."""
    number = _number(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(
            f"{shortened(text, _SHOWN)} must be a number between 0 and 1"
        )
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
