"""The normalisation of all image networks here."""

from torch import nn


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with as many groups of one size as there can be, but at most 32.

    So each channel is a group where there are fewer than 32, and 69 channels make 23 groups. It
    keeps no running statistics, so the vector field is the same function in each evaluation.
    """
    groups = max(number for number in range(1, 33) if channels % number == 0)
    return nn.GroupNorm(groups, channels)
