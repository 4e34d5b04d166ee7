"""Normal distributions of latent states."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream


class Gaussian(NamedTuple):
    """Independent normal distributions: mean and logarithm of the deviation, ``[B or 1, L]``."""

    mean: Tensor
    log_std: Tensor

    def sample(self, count: int, seed: int, key: int, batch: int = 1) -> Tensor:
        """``[count, B, L]``, a pure function of the seed and the key, with gradients."""
        shape = (count, max(batch, len(self.mean)), self.mean.shape[1])
        noise = torch.randn(shape, generator=random_stream(seed, key)).to(self.mean)
        return self.mean + noise * self.log_std.exp()

    def divergence(self, prior: Gaussian) -> Tensor:
        """The KL divergence from ``prior`` in nats, ``[B]``."""
        narrower = self.log_std - prior.log_std
        apart = (self.mean - prior.mean) * (-prior.log_std).exp()
        each = 0.5 * ((2 * narrower).exp() + apart.square() - 1) - narrower
        return each.sum(dim=-1)
