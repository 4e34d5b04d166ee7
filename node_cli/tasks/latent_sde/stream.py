"""The streams of random numbers of latent SDEs."""

from enum import IntEnum


class Stream(IntEnum):
    """What one is for; results depend on the number, which is the key of ``random_stream``."""

    ORDER = 20
    TRAINING = 21
    VALIDATION = 22
    TEST = 23
    LORENZ = 24
    SPLIT = 25
    SEGMENTS = 26
    FIGURES = 27


class Draw(IntEnum):
    """What is drawn with the seed of a batch beside its Brownian paths."""

    START = 1
    PRIOR = 2
