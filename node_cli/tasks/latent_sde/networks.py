"""The networks of latent SDEs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from node_cli.models.mlp_field import Perceptron, activation_of
from node_cli.schema.vector_field import Activation
from node_cli.tasks.latent_sde.series import Series


class ContextEncoder(nn.Module):
    """A GRU that reads the observed points of a series backwards in time.

    Args:
        dimensions: D.
        hidden: width of its state.
        context: C, values that it gives at each point.
        gaps: the time to the next point is an input.
        masked: values can be missing, and which are is an input.
    """

    def __init__(
        self, dimensions: int, hidden: int, context: int, gaps: bool, masked: bool
    ) -> None:
        super().__init__()
        self._gaps, self._masked = gaps, masked
        width = dimensions * (2 if masked else 1) + (1 if gaps else 0)
        self.recurrent = nn.GRU(width, hidden, batch_first=True)
        self.to_context = nn.Linear(hidden, context)

    def forward(self, observed: Series) -> Tensor:
        """What is known at each point of all later ones and itself, ``[B, P, C]``."""
        there = (observed.roles > 0).unsqueeze(-1)
        inputs = [observed.values]
        if self._masked:
            inputs.append(observed.known.to(observed.values))
        if self._gaps:
            gaps = observed.times.diff(dim=1, append=observed.times[:, -1:])
            inputs.append(gaps.unsqueeze(-1).clamp(min=0.0) * there)
        read = torch.cat(inputs, dim=-1)
        if observed.regular:
            states, _ = self.recurrent(read.flip(1))
            context: Tensor = self.to_context(states).flip(1)
            return context
        # Turned around within their own lengths, series are read before their padding. The same
        # turn brings the states back.
        count = read.shape[1]
        turned = (observed.lengths.unsqueeze(1) - 1 - torch.arange(count).to(read.device)) % count
        states, _ = self.recurrent(_ordered(read, turned))
        return _ordered(self.to_context(states), turned)


def _ordered(values: Tensor, order: Tensor) -> Tensor:
    """``[B, P, C]`` with the points of each series in another order, ``[B, P]``."""
    return torch.gather(values, 1, order.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


class PosteriorDrift(nn.Module):
    """A perceptron of the latent state and of what is told beside it.

    The first layer of the latter is a function of its own, for it need not be computed in each step
    of a solve.

    Args:
        latent: L.
        told: values that are told.
        hidden: width of the two hidden layers.
        activation: after each of them.
    """

    def __init__(self, latent: int, told: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.of_told = nn.Linear(told, hidden)
        self.of_state = nn.Linear(latent, hidden, bias=False)
        self.activation = activation_of(activation)
        self.rest = Perceptron(hidden, (hidden,), latent, activation)
        with torch.no_grad():  # as one layer would begin
            bound = 1 / math.sqrt(latent + told)
            for parameter in (*self.of_told.parameters(), *self.of_state.parameters()):
                parameter.uniform_(-bound, bound)

    def forward(self, z: Tensor, told: Tensor) -> Tensor:
        """The drift ``[K * B, L]``, where ``told`` is ``of_told(...)``, ``[B or 1, hidden]``."""
        if len(told) not in (1, len(z)):
            told = told.repeat(len(z) // len(told), 1)
        first = torch.addmm(told, z, self.of_state.weight.T)
        drift: Tensor = self.rest(self.activation(first))
        return drift


class DiagonalDiffusion(nn.Module):
    r"""A network for each dimension, of this dimension alone, with values from 0 to 1.

    .. math:: g_i(z_i) = \operatorname{sigmoid}(v_i \cdot a(u_i z_i + b_i) + c_i)

    Args:
        latent: L.
        hidden: width of each network.
        activation: a.
    """

    def __init__(self, latent: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.activation = activation_of(activation)
        bound = 1 / math.sqrt(hidden)
        self.weight = nn.Parameter(torch.empty(latent, hidden).uniform_(-1, 1))
        self.bias = nn.Parameter(torch.empty(latent, hidden).uniform_(-1, 1))
        self.out_weight = nn.Parameter(torch.empty(latent, hidden).uniform_(-bound, bound))
        self.out_bias = nn.Parameter(torch.empty(latent).uniform_(-bound, bound))

    def forward(self, z: Tensor) -> Tensor:
        """Of states ``[..., L]``, likewise."""
        hidden = self.activation(torch.addcmul(self.bias, z.unsqueeze(-1), self.weight))
        return torch.sigmoid((hidden * self.out_weight).sum(dim=-1) + self.out_bias)
