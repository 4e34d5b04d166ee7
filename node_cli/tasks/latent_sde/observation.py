"""How what is observed differs from what a path decodes to."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Likelihood = Literal["normal", "laplace"]


class Observation(nn.Module):
    """Independent noise of one size on each value.

    Args:
        kind: its distribution.
        scale: standard deviation of a normal, scale of a Laplace distribution.
        learned: it is a parameter and starts at the value given.
    """

    def __init__(self, kind: Likelihood, scale: float, learned: bool) -> None:
        super().__init__()
        self.kind = kind
        log_scale = torch.tensor(math.log(scale))
        if learned:
            self.log_scale: Tensor = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    @property
    def scale(self) -> Tensor:
        """As it is now, a scalar."""
        return self.log_scale.exp()

    def log_likelihood(self, values: Tensor, mean: Tensor) -> Tensor:
        """The log-density of each value in nats, of the shape of ``mean``."""
        scaled = (values - mean) * (-self.log_scale).exp()
        if self.kind == "normal":
            return -0.5 * scaled.square() - self.log_scale - 0.5 * math.log(2 * math.pi)
        return -scaled.abs() - self.log_scale - math.log(2)

    def quantile_of(self, values: Tensor, mean: Tensor) -> Tensor:
        """The share of what is predicted that lies below each value ``[...]``.

        Args:
            values: ``[...]``.
            mean: of K paths, ``[K, ...]``, whose mixture is the prediction.
        """
        scaled = (values - mean) * (-self.log_scale).exp()
        if self.kind == "normal":
            below: Tensor = torch.special.ndtr(scaled)
            return below.mean(dim=0)
        tail = 0.5 * (-scaled.abs()).exp()
        return torch.where(scaled < 0, tail, 1 - tail).mean(dim=0)
