"""A vector field of your own in the ODE-Net.

Try it::

    node-train --plugin example.py task=mnist-odenet model=example
"""

from typing import Literal

from torch import Tensor, nn

from node_cli.plugin import Count, ImageModel


class Example(ImageModel):
    """Two convolutions through a bottleneck."""

    name: Literal["example"] = "example"
    width: Count = 16
    """Channels of the bottleneck."""

    def field(self, channels: int) -> nn.Module:
        """The vector field of states with so many channels."""
        return Field(channels, self.width)


class Field(nn.Module):
    """f(t, y)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(width, channels, 3, padding=1),
        )

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """dy/dt of states [B, channels, H, W], of their shape and dtype; t is a scalar tensor."""
        return self.net(y)
