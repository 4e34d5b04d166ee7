"""Residual blocks."""

from __future__ import annotations

from torch import Tensor, nn

from node_cli.tasks.images.normalization import group_norm


class ResidualBlock(nn.Module):
    """``y + F(norm_relu(y))`` with two 3x3 convolutions, in pre-activation order.

    With a stride, the shortcut is a 1x1 convolution of the activated input, so that the spatial
    size shrinks on both ways.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1 = group_norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.norm2 = group_norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(channels, channels, 1, stride, bias=False) if stride > 1 else None

    def forward(self, y: Tensor) -> Tensor:
        """Map ``[N, channels, H, W]`` to ``[N, channels, H / stride, W / stride]``, rounded up."""
        activated = self.norm1(y).relu_()
        out: Tensor = self.conv2(self.norm2(self.conv1(activated)).relu_())
        return out + (y if self.shortcut is None else self.shortcut(activated))
