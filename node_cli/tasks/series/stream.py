"""The streams of random numbers of series."""

from enum import IntEnum


class Stream(IntEnum):
    """What one is for; results depend on the number, which is the key of ``random_stream``."""

    ORDER = 5
    SPIRALS = 6
    PERIODIC = 7
    SPLIT = 8
    KEPT = 9
    HOPPER = 10
