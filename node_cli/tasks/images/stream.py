"""The streams of random numbers of images."""

from enum import IntEnum


class Stream(IntEnum):
    """What one is for; results depend on the number, which is the key of ``random_stream``."""

    ORDER = 0
    CROPS = 1
    NOISE_IMAGES = 2
    SPLIT = 3
    PATHS = 4
