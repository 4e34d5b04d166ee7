"""Second-order vector fields (Norcliffe et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class SecondOrderField(nn.Module):
    r"""The first-order field of :math:`x'' = a(t, x, x')`.

    .. math:: \frac{d}{dt} \begin{pmatrix} x \\ v \end{pmatrix}
              = \begin{pmatrix} v \\ a(t, x, v) \end{pmatrix}

    Args:
        acceleration: called as ``a(t, state)`` with positions and velocities side by side along
            ``dim``; gives the accelerations.
        dim: along which the state holds first the positions, then as many velocities.
    """

    def __init__(self, acceleration: Callable[[Tensor, Tensor], Tensor], dim: int = -1) -> None:
        super().__init__()
        self.acceleration = acceleration
        self._dim = dim

    def forward(self, t: Tensor, state: Tensor) -> Tensor:
        """The derivative, of the shape of ``state``."""
        _, velocity = state.chunk(2, dim=self._dim)
        return torch.cat((velocity, self.acceleration(t, state)), dim=self._dim)
