"""The streams of random numbers of points and tables."""

from enum import IntEnum


class Stream(IntEnum):
    """What one is for; results depend on the number, which is the key of ``random_stream``."""

    TRAIN_POINTS = 0
    VALIDATION_POINTS = 1
    TEST_POINTS = 2
    TABLE_ORDER = 3
    TABLE_SPLIT = 4
    DEQUANTIZATION = 5
