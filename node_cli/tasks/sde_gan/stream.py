"""The streams of random numbers of this task."""

from enum import IntEnum


class Stream(IntEnum):
    """What one is for; results depend on the number, which is the key of ``random_stream``."""

    ORDER = 30
    TRAINING = 31
    VALIDATION = 32
    TEST = 33
    DATA = 34


class Draw(IntEnum):
    """What is drawn with the seed of a batch beside its Brownian paths."""

    START = 1
    MIXTURE = 2
