"""Hamiltonian neural networks (Greydanus et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from node_cli.tasks.dynamics.scalar_network import ScalarNetwork, SmoothActivation


class HamiltonianField(nn.Module):
    r"""The flow of a network :math:`H(q, p)`, which it conserves.

    .. math:: \frac{dq}{dt} = \frac{\partial H}{\partial p}, \qquad
              \frac{dp}{dt} = -\frac{\partial H}{\partial q}

    Args:
        dimensions: of a state, which is q beside p; even.
        hidden: widths of the hidden layers.
        activation: after each of them.
    """

    def __init__(
        self, dimensions: int, hidden: Sequence[int], activation: SmoothActivation
    ) -> None:
        super().__init__()
        self.hamiltonian = ScalarNetwork(dimensions, hidden, activation)

    def energy(self, y: Tensor) -> Tensor:
        """H, ``[...]`` of states ``[..., D]``."""
        energy: Tensor = self.hamiltonian(y)
        return energy

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """The derivative of states ``[..., D]``; ``t`` is not used."""
        by_q, by_p = self.hamiltonian.gradient(y).chunk(2, dim=-1)
        return torch.cat((by_p, -by_q), dim=-1)


class SeparableField(nn.Module):
    """The flow of ``H = T(p) + V(q)``, of which each half can be had alone.

    Args:
        dimensions: of a state, which is q beside p; even.
        hidden: widths of the hidden layers of each network.
        activation: after each of them.
    """

    def __init__(
        self, dimensions: int, hidden: Sequence[int], activation: SmoothActivation
    ) -> None:
        super().__init__()
        self.kinetic = ScalarNetwork(dimensions // 2, hidden, activation)
        self.potential = ScalarNetwork(dimensions // 2, hidden, activation)

    def energy(self, y: Tensor) -> Tensor:
        """H, ``[...]`` of states ``[..., D]``."""
        q, p = y.chunk(2, dim=-1)
        energy: Tensor = self.kinetic(p) + self.potential(q)
        return energy

    def velocity(self, t: Tensor, p: Tensor) -> Tensor:
        """dq/dt, ``[..., D/2]``; ``t`` is not used."""
        return self.kinetic.gradient(p)

    def force(self, t: Tensor, q: Tensor) -> Tensor:
        """dp/dt, ``[..., D/2]``; ``t`` is not used."""
        return -self.potential.gradient(q)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """The derivative of states ``[..., D]``."""
        q, p = y.chunk(2, dim=-1)
        return torch.cat((self.velocity(t, p), self.force(t, q)), dim=-1)
