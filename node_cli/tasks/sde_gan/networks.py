"""The networks of generator and discriminator."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class LipSwish(nn.Module):
    """0.909 x sigmoid(x), whose slope is at most 1 (Chen et al. 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of ``x``."""
        return 0.909 * functional.silu(x)


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden layers with LipSwish, ``[..., inputs]`` to ``[..., outputs]``."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        LipSwish(),
        nn.Linear(hidden, hidden),
        LipSwish(),
        nn.Linear(hidden, outputs),
    )


def vector_field(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """The same with values from -1 to 1, so that solutions stay finite."""
    return nn.Sequential(perceptron(inputs, hidden, outputs), nn.Tanh())
