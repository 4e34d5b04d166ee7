"""A convolution that sees the time as one more input channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class TimeConv2d(nn.Conv2d):
    r"""A 3x3 convolution of the state with the time as channel 0.

    The time is constant over an image, so its part of the convolution is a map that depends on
    the weights alone, times ``t``:

    .. math:: W * [t, x] + b = W_{1:} * x + t\,(W_0 * 1) + b.

    Computed so, no copy of the state with one more channel is made or kept for the backward pass.
    The parameters are those of a plain convolution with ``channels + 1`` inputs.

    Args:
        channels: of the state.
        outputs: channels of the result; None: as many.
    """

    def __init__(self, channels: int, outputs: int | None = None) -> None:
        super().__init__(channels + 1, outputs or channels, kernel_size=3, padding=1)

    def forward(self, t: Tensor, x: Tensor) -> Tensor:  # type: ignore[override]
        """Convolve; ``t`` is a scalar, ``x`` is ``[N, channels, H, W]``, and so is the result."""
        ones = torch.ones((1, 1, *x.shape[-2:]), dtype=x.dtype, device=x.device)
        time_map = functional.conv2d(ones, self.weight[:, :1], padding=1)
        return functional.conv2d(x, self.weight[:, 1:], self.bias, padding=1) + t * time_map
