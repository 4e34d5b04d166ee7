"""The streams of random numbers of trajectories."""

from enum import IntEnum


class Stream(IntEnum):
    """What one is for; results depend on the number, which is the key of ``random_stream``."""

    ORDER = 9
    TRAJECTORIES = 10
    FILE = 13
    REFLECTION = 14
    PATHS = 15
