"""Moving batch normalisation, an invertible layer between flows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_EPSILON = 1e-4


class MovingBatchNorm(nn.Module):
    r"""Normalise by running statistics, in training too (Grathwohl et al. 2019, appendix B).

    .. math:: y = e^{w} \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + b, \qquad
              \log\det = \sum_i \left( w_i - \tfrac12 \log(\sigma_i^2 + \epsilon) \right)

    The statistics move towards those of each training batch and count as constants, so that the
    layer treats each point alike and apart from its batch: it is invertible and its density is
    that of the evaluation. The first batch sets them.

    Args:
        dimensions: d.
        momentum: share of a batch in the moving statistics.
    """

    has_moving_state = True

    running_mean: Tensor
    running_var: Tensor
    batches: Tensor

    def __init__(self, dimensions: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.log_scale = nn.Parameter(torch.zeros(dimensions))
        self.shift = nn.Parameter(torch.zeros(dimensions))
        self.register_buffer("running_mean", torch.zeros(dimensions))
        self.register_buffer("running_var", torch.ones(dimensions))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised points ``[N, d]``, and the log-determinant, a scalar for all of them."""
        if self.training:
            self._follow(x.detach())
        log_scale = self._log_scale()
        return (x - self.running_mean) * log_scale.exp() + self.shift, log_scale.sum()

    def inverse(self, y: Tensor) -> Tensor:
        """The points that ``forward`` maps to ``y``, by the statistics as they are now."""
        return (y - self.shift) * (-self._log_scale()).exp() + self.running_mean

    def _log_scale(self) -> Tensor:
        return self.log_scale - 0.5 * (self.running_var + _EPSILON).log()

    def _follow(self, x: Tensor) -> None:
        weight = 1.0 if int(self.batches) == 0 else self.momentum
        variance, mean = torch.var_mean(x, dim=0, correction=0)
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance, weight)
        self.batches += 1
