"""The normalisation of all image networks here."""

from torch import nn


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with 32 groups, or one a channel where there are fewer than 32.

    It keeps no running statistics, so the vector field is the same function in each evaluation.
    """
    return nn.GroupNorm(min(32, channels), channels)
