"""The streams of random numbers of the bouncing ball."""

from enum import IntEnum


class Stream(IntEnum):
    """What one is for; results depend on the number, which is the key of ``random_stream``."""

    ORDER = 9
    OBSERVATIONS = 10
