"""Recurrent networks that predict the next observation: the papers' baselines, and ODE-RNN."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from node_cli.models.mlp_field import MlpField
from node_cli.models.model_with_units import ModelWithUnits
from node_cli.models.ode_solve import OdeSolve
from node_cli.solving import SolveSpec
from node_cli.tasks.series.class_scores import class_head
from node_cli.tasks.series.latent_series import gaussian_log_likelihood
from node_cli.tasks.series.observed import ROLES, Series
from node_cli.tasks.series.schema import AutoregressiveConfig


class Prediction(NamedTuple):
    """One step ahead.

    Attributes:
        mean: predicted values ``[B, P, D]``.
        log_likelihood: of the observed points, each given those before it, in nats, ``[B]``.
        logits: of the classes, from the state after the last observed point, ``[B, C]``; None:
            there are no classes.
    """

    mean: Tensor
    log_likelihood: Tensor
    logits: Tensor | None = None


class Autoregressive(ModelWithUnits):
    r"""A GRU whose state predicts the next point, and then reads it.

    .. math:: h_i^- = \text{between}(h_{i-1}, t_i - t_{i-1}), \qquad
              x_i \sim \mathcal N(g(h_i^-), \sigma^2), \qquad h_i = \text{GRU}(x_i, h_i^-)

    ``rnn`` keeps the state between two points, ``rnn-decay`` lets it decay by
    :math:`e^{-w (t_i - t_{i-1})}` with a positive w for each unit, and ``ode-rnn`` carries it along
    an ODE (Rubanova et al. 2019). Where a point is not observed, the network reads its own
    prediction.

    Args:
        config: the ``model`` group.
        dimensions: D.
        masked: values can be missing, and which are is an input.
        spec: how the ODE is solved.
        classes: C, how many kinds of series there are to be told apart; 0: none.
    """

    def __init__(
        self,
        config: AutoregressiveConfig,
        dimensions: int,
        masked: bool,
        spec: SolveSpec,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self._gaps, self.masked = config.gaps, masked
        self._gap_inputs = 1 if config.gaps else 0
        inputs = dimensions * (2 if masked else 1) + self._gap_inputs
        self.recurrent = nn.GRU(inputs, config.hidden, batch_first=True)
        self.decoder = nn.Linear(config.hidden + self._gap_inputs, dimensions)
        self.rate = nn.Parameter(torch.zeros(config.hidden)) if config.name == "rnn-decay" else None
        self.field: MlpField | None = None
        if config.name == "ode-rnn":
            self.field = MlpField(config.hidden, (config.hidden,), "tanh")
            self.solve = OdeSolve(spec)
        log_noise = torch.tensor(math.log(config.noise))
        if config.learn_noise:
            self.log_noise: Tensor = nn.Parameter(log_noise)
        else:
            self.register_buffer("log_noise", log_noise)
        self.head = class_head(config.hidden, config.hidden, classes) if classes else None

    def forward(self, series: Series) -> Prediction:
        """Predictions at all points, in the order of time, from the observed ones before each."""
        before = torch.cat((series.times[:, :1], series.times[:, :-1]), dim=1)
        # The padding has time 0: nothing is to happen there.
        gaps = ((series.times - before) * (series.roles > 0)).unsqueeze(-1)
        everything = bool((series.observed.any(dim=-1) | (series.roles == 0)).all())
        if everything and self.rate is None and self.field is None:
            mean, states = self._all_at_once(series, gaps)
        else:
            mean, states = self._one_by_one(series, gaps)
        counted = series.observed
        log_likelihood = gaussian_log_likelihood(series.values, mean, self.log_noise, counted)
        logits = None if self.head is None else self.head(_last_of(states, counted))
        return Prediction(mean, log_likelihood, logits)

    def _all_at_once(self, series: Series, gaps: Tensor) -> tuple[Tensor, Tensor]:
        """Where every point is observed and nothing happens between them: one fused layer."""
        inputs = self._inputs(series.values, series.known, gaps)
        after, _ = self.recurrent(inputs)
        before = torch.cat((torch.zeros_like(after[:, :1]), after[:, :-1]), dim=1)
        return self._decoded(before, gaps), after

    def _one_by_one(self, series: Series, gaps: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted values at all points, and the states after them, ``[B, P, hidden]``."""
        state = series.values.new_zeros(len(series), self.recurrent.hidden_size)
        means, states = [], []
        observed = series.observed
        guessed = series.known | (series.roles != ROLES["observed"]).unsqueeze(-1)
        for place in range(series.roles.shape[1]):
            gap = gaps[:, place]
            state = self._between(state, gap)
            means.append(self._decoded(state, gap))
            seen = torch.where(observed[:, place], series.values[:, place], means[-1])
            # A missing value of an observed point stays 0, as in training.
            seen = seen * guessed[:, place]
            inputs = self._inputs(seen, guessed[:, place], gap)
            _, read = self.recurrent(inputs.unsqueeze(1), state.unsqueeze(0))
            state = read.squeeze(0)
            states.append(state)
        return torch.stack(means, dim=1), torch.stack(states, dim=1)

    def _between(self, state: Tensor, gap: Tensor) -> Tensor:
        if self.rate is not None:
            decayed: Tensor = state * (-nn.functional.softplus(self.rate) * gap).exp()
            return decayed
        if self.field is None or not bool((gap > 0).any()):
            return state
        field = self.field

        def stretched(t: Tensor, h: Tensor) -> Tensor:
            # Each series has a gap of its own: all are solved from 0 to 1.
            slope: Tensor = gap * field(t, h)
            return slope

        carried: Tensor = self.solve(stretched, state, (0.0, 1.0), field.parameters())[-1]
        return carried

    def _inputs(self, values: Tensor, known: Tensor, gaps: Tensor) -> Tensor:
        parts = [values]
        if self.masked:
            parts.append(known.to(values))
        if self._gaps:
            parts.append(gaps)
        return torch.cat(parts, dim=-1)

    def _decoded(self, states: Tensor, gaps: Tensor) -> Tensor:
        decoded: Tensor = self.decoder(torch.cat((states, gaps), -1) if self._gaps else states)
        return decoded


def predictable(series: Series) -> Tensor:
    """Points before which one is observed, bool ``[B, P]``; others cannot be told from the past."""
    seen = series.observed.any(dim=-1)
    return seen.cumsum(dim=1) - seen.long() > 0


def _last_of(states: Tensor, observed: Tensor) -> Tensor:
    """The state after the last observed point of each series, ``[B, hidden]``; 0 without one."""
    seen = observed.any(dim=-1)
    places = torch.arange(seen.shape[1], device=seen.device)
    last = torch.where(seen, places, 0).max(dim=1).values
    chosen = torch.gather(states, 1, last.view(-1, 1, 1).expand(-1, 1, states.shape[-1]))
    return chosen.squeeze(1) * seen.any(dim=1, keepdim=True)
