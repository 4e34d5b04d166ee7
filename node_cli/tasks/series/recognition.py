"""Encoders of time series: from observations to a posterior of the latent state at time 0."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from node_cli.models.mlp_field import MlpField
from node_cli.models.ode_solve import OdeSolve
from node_cli.solving import SolveSpec
from node_cli.tasks.series.observed import Series
from node_cli.tasks.series.tanh_rnn import TanhRNN


class Posterior(NamedTuple):
    """A Gaussian for each series: mean and log-variance, ``[B, L]`` each."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, count: int) -> Tensor:
        """``count`` samples of each, ``[count, B, L]``, with gradients for both."""
        noise = torch.randn(count, *self.mean.shape).to(self.mean)
        return self.mean + noise * (0.5 * self.log_variance).exp()

    def divergence(self) -> Tensor:
        """The KL divergence from the standard normal prior, in nats, ``[B]``."""
        variance = self.log_variance.exp()
        return 0.5 * (variance + self.mean.square() - 1 - self.log_variance).sum(dim=-1)

    def log_density(self, z: Tensor) -> Tensor:
        """The log-density of ``[..., B, L]`` in nats, ``[..., B]``."""
        normal = torch.distributions.Normal(self.mean, (0.5 * self.log_variance).exp())
        log: Tensor = normal.log_prob(z).sum(dim=-1)
        return log


class Encoder(nn.Module, ABC):
    """A network that reads the observed points of series backwards in time.

    Args:
        hidden: width of its state.
        latent: L.
    """

    def __init__(self, hidden: int, latent: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.to_posterior = nn.Linear(hidden, 2 * latent)

    def forward(self, series: Series) -> Posterior:
        """The posterior of z at time 0, from the observed points alone."""
        mean, log_variance = self.to_posterior(self.read(series.only("observed"))).chunk(2, dim=-1)
        return Posterior(mean, log_variance)

    @abstractmethod
    def read(self, observed: Series) -> Tensor:
        """The state ``[B, hidden]`` after all points; ``observed`` has no others."""


class RecurrentEncoder(Encoder):
    """A plain recurrent network or a GRU, run backwards as in Chen et al. 2018.

    One fused layer reads all series at once. Where times differ, the gaps between them tell it so.

    Args:
        inputs: D.
        hidden: width.
        latent: L.
        gated: a GRU.
        gaps: the time to the point that was read before is an input; of the first, 0.
        masked: values can be missing, and which are is an input.
    """

    def __init__(
        self, inputs: int, hidden: int, latent: int, gated: bool, gaps: bool, masked: bool
    ) -> None:
        super().__init__(hidden, latent)
        self._gaps, self._masked = gaps, masked
        width = inputs * (2 if masked else 1) + (1 if gaps else 0)
        self.recurrent: nn.Module = (
            nn.GRU(width, hidden, batch_first=True) if gated else TanhRNN(width, hidden)
        )

    def read(self, observed: Series) -> Tensor:
        """The state at the earliest point of each series."""
        there = observed.roles > 0
        inputs = [observed.values]
        if self._masked:
            inputs.append(observed.known.to(observed.values))
        if self._gaps:
            gaps = observed.times[:, 1:] - observed.times[:, :-1]
            gaps = torch.cat((gaps * there[:, 1:], torch.zeros_like(observed.times[:, :1])), dim=1)
            inputs.append(gaps.unsqueeze(-1))
        # Turned around, the padding comes first and the earliest point of all series last.
        backwards = torch.cat(inputs, dim=-1).flip(1)
        if isinstance(self.recurrent, TanhRNN):
            begun = None if observed.regular else there.flip(1)
            state: Tensor = self.recurrent(backwards, begun)
            return state
        lengths = there.sum(dim=1).clamp(min=1)
        order = (torch.arange(there.shape[1]).to(lengths) - lengths.unsqueeze(1)) % there.shape[1]
        rolled = torch.gather(backwards, 1, order.unsqueeze(-1).expand_as(backwards))
        packed = nn.utils.rnn.pack_padded_sequence(
            rolled, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        last: Tensor = self.recurrent(packed)[1].squeeze(0)
        return last


class OdeRnnEncoder(Encoder):
    """An ODE between observations and a GRU at each (Rubanova et al. 2019, algorithm 1).

    All series of a batch are solved together, from each time of the union of their times to the
    next, backwards and down to time 0; a series is updated where it has a point.

    Args:
        inputs: D.
        hidden: width.
        latent: L.
        masked: values can be missing, and which are is an input.
        spec: how the ODE is solved.
    """

    def __init__(
        self, inputs: int, hidden: int, latent: int, masked: bool, spec: SolveSpec
    ) -> None:
        super().__init__(hidden, latent)
        self._masked = masked
        self.solve = OdeSolve(spec)
        self.field = MlpField(hidden, (hidden,), "tanh")
        self.update = nn.GRUCell(inputs * (2 if masked else 1), hidden)

    def read(self, observed: Series) -> Tensor:
        """The state at time 0, or at the earliest point where that is below."""
        union, index = observed.union()
        index = torch.where(observed.roles > 0, index, -1)
        state = observed.values.new_zeros(len(observed), self.hidden)
        begun = torch.zeros(len(observed), 1, dtype=torch.bool, device=state.device)
        before: Tensor | None = None
        for number in range(len(union) - 1, -1, -1):
            if before is not None:
                # A series whose last point is still to come is not touched by the others' times.
                state = torch.where(begun, self._evolve(state, before, union[number]), state)
            before = union[number]
            row, column = (index == number).nonzero(as_tuple=True)
            begun = begun.index_fill(0, row, True)
            seen = observed.values[row, column]
            if self._masked:
                seen = torch.cat((seen, observed.known[row, column].to(seen)), dim=-1)
            # Autocast has the cell give half precision on a GPU, and not on the CPU.
            state = state.index_copy(0, row, self.update(seen, state[row]).to(state))
        if before is not None and float(before) > 0:
            state = self._evolve(state, before, torch.zeros_like(before))
        return state

    def _evolve(self, state: Tensor, start: Tensor, end: Tensor) -> Tensor:
        carried: Tensor = self.solve(self.field, state, torch.stack((start, end)))[-1]
        return carried
