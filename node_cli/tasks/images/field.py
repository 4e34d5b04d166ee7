"""The vector field of the ODE-Net on images."""

from __future__ import annotations

from torch import Tensor, nn

from node_cli.tasks.images.normalization import group_norm
from node_cli.tasks.images.time_conv import TimeConv2d


class ImageField(nn.Module):
    """Two 3x3 convolutions that see the time, with group normalisation before, between and after.

    The field of the ODE-Net of Chen et al. 2018, as in torchdiffeq's MNIST example:
    ``norm -> relu -> conv(t) -> norm -> relu -> conv(t) -> norm``.

    Args:
        channels: of the state.
        outputs: channels of the result, such as the accelerations; None: as many.
    """

    def __init__(self, channels: int, outputs: int | None = None) -> None:
        super().__init__()
        outputs = outputs or channels
        self.norm1 = group_norm(channels)
        self.conv1 = TimeConv2d(channels, outputs)
        self.norm2 = group_norm(outputs)
        self.conv2 = TimeConv2d(outputs)
        self.norm3 = group_norm(outputs)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """``[N, outputs, H, W]`` of a scalar time and states ``[N, channels, H, W]``."""
        out = self.conv1(t, self.norm1(y).relu_())
        out = self.conv2(t, self.norm2(out).relu_())
        derivative: Tensor = self.norm3(out)
        return derivative
