"""Lagrangian neural networks (Cranmer et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from node_cli.tasks.dynamics.scalar_network import ScalarNetwork, SmoothActivation


class LagrangianField(nn.Module):
    r"""The motion of least action of a network :math:`L(q, v)`.

    .. math:: \frac{dq}{dt} = v, \qquad \frac{dv}{dt} = \left(
              \frac{\partial^2 L}{\partial v\, \partial v} \right)^{-1} \left(
              \frac{\partial L}{\partial q} -
              \frac{\partial^2 L}{\partial v\, \partial q}\, v \right)

    The network is added to :math:`|v|^2 / 2`, so that the matrix can be inverted when training
    begins; the paper takes the pseudo-inverse of that of the network alone.

    Args:
        dimensions: of a state, which is q beside v; even.
        hidden: widths of the hidden layers.
        activation: after each of them.
    """

    def __init__(
        self, dimensions: int, hidden: Sequence[int], activation: SmoothActivation
    ) -> None:
        super().__init__()
        self.network = ScalarNetwork(dimensions, hidden, activation)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """The derivative of states ``[..., D]``; ``t`` is not used."""
        n = y.shape[-1] // 2
        flat = y.reshape(-1, 2 * n)
        velocity = flat[:, n:]
        slope, curvature = self.network.gradient_and_hessian(flat)
        by_q, by_v = curvature[:, n:].split(n, dim=-1)
        masses = by_v + torch.eye(n, dtype=y.dtype, device=y.device)
        change = slope[:, :n] - (by_q @ velocity.unsqueeze(-1)).squeeze(-1)
        acceleration = torch.linalg.solve(masses, change)
        return torch.cat((velocity, acceleration), dim=-1).reshape(y.shape)

    def energy(self, y: Tensor) -> Tensor:
        r""":math:`v^\top \partial L / \partial v - L`, ``[...]`` of states ``[..., D]``."""
        velocity = y.chunk(2, dim=-1)[1]
        by_v = self.network.gradient(y).chunk(2, dim=-1)[1]
        energy: Tensor = (
            (velocity * by_v).sum(-1) - self.network(y) + 0.5 * velocity.square().sum(-1)
        )
        return energy
