"""Latent SDEs: a posterior and a prior over paths that share their diffusion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from node_cli.data.time_units import Times
from node_cli.methods import Calculus, Noise
from node_cli.models.mlp_field import Perceptron
from node_cli.models.model_with_units import ModelWithUnits
from node_cli.models.sde_solve import SdeSolve
from node_cli.solving.sde import SdeSolution, SdeSpec
from node_cli.tasks.latent_sde.gaussian import Gaussian
from node_cli.tasks.latent_sde.networks import ContextEncoder, DiagonalDiffusion, PosteriorDrift
from node_cli.tasks.latent_sde.observation import Observation
from node_cli.tasks.latent_sde.schema import LatentSdeConfig, OuSegmentsConfig
from node_cli.tasks.latent_sde.series import OBSERVED, Series
from node_cli.tasks.latent_sde.stream import Draw

_LATENT, _CONTEXT, _FREQUENCIES = 4, 64, 4  # where the settings say null


class Inference(NamedTuple):
    """What a model says of B series with K paths of the posterior each.

    Attributes:
        mean: decoded paths at all points of the series, ``[K, B, P, D]``.
        log_likelihood: of the observed points, in nats, ``[K, B]``.
        path_kl: divergence of the paths from those of the prior, ``[K, B]``.
        start_kl: of the state at time 0, ``[B]``.
        times: of the solve, increasing, ``[U]``.
        states: of the paths at these times, ``[U, K, B, L]``.
    """

    mean: Tensor
    log_likelihood: Tensor
    path_kl: Tensor
    start_kl: Tensor
    times: Tensor
    states: Tensor

    def negative_elbo(self, kl_weight: float) -> Tensor:
        r"""Of each series in nats, ``[B]`` (Li et al. 2020, equation 10).

        .. math:: -E \left[ \sum_i \log p(x_i | z_{t_i}) \right] + \beta \left(
                  KL(q(z_0) \| p(z_0)) + E \int \tfrac12 |u(t, z_t)|^2\, dt \right)
        """
        divergence = self.start_kl + self.path_kl.mean(dim=0)
        return kl_weight * divergence - self.log_likelihood.mean(dim=0)


class PriorPaths:
    """The SDE of the prior, as a solve sees it."""

    noise: Noise = "diagonal"

    def __init__(self, model: LatentSde) -> None:
        self._model, self.calculus = model, model.calculus

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        """Of states ``[N, L]``."""
        return self._model.prior_drift(y)

    def diffusion(self, t: Tensor, y: Tensor) -> Tensor:
        """Likewise."""
        return self._model.diffusion(y)


class PosteriorPaths(PriorPaths):
    """The SDE of the posterior of B series, as a solve sees it.

    After its last observation a series follows the prior, as the true posterior does.

    Args:
        model: drifts and diffusion.
        told: what the drift of the posterior is told at a time, ``[B or 1, hidden]``.
        ends: the time of the last observation of each series, ``[B]``.
    """

    def __init__(self, model: LatentSde, told: Callable[[Tensor], Tensor], ends: Tensor) -> None:
        super().__init__(model)
        self._told, self._ends = told, ends
        self._first_end, self._last_end = float(ends.min()), float(ends.max())

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        """Of states ``[K * B, L]``."""
        now = float(t)
        if now >= self._last_end:
            return self._model.prior_drift(y)
        posterior = self._model.posterior_drift(y, self._told(t))
        if now < self._first_end:
            return posterior
        goes_on = (t < self._ends).repeat(len(y) // len(self._ends)).unsqueeze(-1)
        return torch.where(goes_on, posterior, self._model.prior_drift(y))

    def prior_drift(self, t: Tensor, y: Tensor) -> Tensor:
        """Likewise."""
        return self._model.prior_drift(y)


class Posterior(NamedTuple):
    """Of the paths of B series.

    Attributes:
        start: of the state at time 0.
        told: what the drift is told at a time, ``[B or 1, hidden]``.
        parameters: the tensors that the SDE depends on.
    """

    start: Gaussian
    told: Callable[[Tensor], Tensor]
    parameters: Sequence[Tensor]


class LatentSde(ModelWithUnits, ABC):
    r"""The latent SDE of Li et al. 2020, section 5.

    .. math:: \text{prior: } dz = h(z)\, dt + g(z)\, dW, \qquad
              \text{posterior: } dz = f(t, z)\, dt + g(z)\, dW

    Args:
        config: the ``model`` group.
        spec: how the SDE is solved.
    """

    def __init__(self, config: LatentSdeConfig, spec: SdeSpec) -> None:
        super().__init__()
        self.calculus: Calculus = config.calculus
        self.solve = SdeSolve(spec)
        self.observation = Observation(config.likelihood, config.noise, config.learn_noise)

    @abstractmethod
    def prior_start(self) -> Gaussian:
        """The prior of the state at time 0."""

    @abstractmethod
    def prior_drift(self, z: Tensor) -> Tensor:
        """h, of states ``[N, L]``."""

    @abstractmethod
    def diffusion(self, z: Tensor) -> Tensor:
        """g, likewise."""

    @abstractmethod
    def posterior_drift(self, z: Tensor, told: Tensor) -> Tensor:
        """f, likewise, with what is told, ``[B or 1, hidden]``."""

    @abstractmethod
    def posterior(self, observed: Series) -> Posterior:
        """What is said of the paths, from the observed points alone."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """Values ``[..., D]`` of states ``[..., L]``."""

    def forward(
        self, series: Series, samples: int, seed: int, further: Tensor | None = None
    ) -> Inference:
        """Paths of the posterior, and what they say of all points of the series.

        Args:
            series: B of them; the observed points are shown.
            samples: K.
            seed: of all that is drawn.
            further: times at which the paths are wanted too, none below 0.
        """
        observed = series.observed
        start, told, parameters = self.posterior(observed)
        times, places = _times_of(series, further)
        z0 = start.sample(samples, seed, Draw.START, len(series))
        paths = PosteriorPaths(self, told, observed.ends)
        solution: SdeSolution = self.solve(
            paths, z0.flatten(0, 1), times, seed, parameters, path_kl=True
        )
        assert solution.path_kl is not None
        states = solution.values.unflatten(1, (samples, len(series)))
        mean = self.decode(_at_points(states, places, series.regular))
        counted = series.known & (series.roles == OBSERVED).unsqueeze(-1)
        each = self.observation.log_likelihood(series.values, mean) * counted
        return Inference(
            mean,
            each.sum(dim=(-2, -1)),
            solution.path_kl[-1].unflatten(0, (samples, len(series))),
            start.divergence(self.prior_start()),
            times,
            states,
        )

    def prior_states(self, times: Tensor, count: int, seed: int) -> Tensor:
        """States of the prior at increasing times from 0 on, ``[T, count, L]``."""
        z0 = self.prior_start().sample(count, seed, Draw.PRIOR)[:, 0]
        solution: SdeSolution = self.solve(PriorPaths(self), z0, times, seed, [*self.parameters()])
        return solution.values


class LatentSdeOfSeries(LatentSde):
    """With an encoder of the observed points, and a prior that is learned.

    Args:
        config: the ``model`` group.
        dimensions: D, values at each time.
        gaps: the series have times of their own.
        masked: values can be missing.
        spec: how the SDE is solved.

    Attributes:
        grid: the times of the observed points where all series have the same ones, float64
            ``[P]``; None: they have times of their own, or nobody has told the model.
    """

    grid: Times | None = None

    def __init__(
        self, config: LatentSdeConfig, dimensions: int, gaps: bool, masked: bool, spec: SdeSpec
    ) -> None:
        super().__init__(config, spec)
        self.masked = masked
        latent, context = config.latent or _LATENT, config.context or _CONTEXT
        hidden, activation = config.hidden, config.activation
        self.encoder = ContextEncoder(dimensions, hidden, context, gaps, masked)
        self.to_start = nn.Linear(context, 2 * latent)
        self.drift = PosteriorDrift(latent, context, hidden, activation)
        self.drift_of_prior = Perceptron(latent, (hidden, hidden), latent, activation)
        self.diagonal = DiagonalDiffusion(latent, hidden, activation)
        self.decoder = nn.Linear(latent, dimensions)
        self.start_mean = nn.Parameter(torch.zeros(1, latent))
        self.start_log_std = nn.Parameter(torch.zeros(1, latent))

    def get_extra_state(self) -> dict[str, Any]:
        """The units, and the times that all series have."""
        return {
            **super().get_extra_state(),
            "grid": None if self.grid is None else self.grid.tolist(),
        }

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Take them from a checkpoint."""
        super().set_extra_state(state)
        self.grid = grid_in(state)

    def prior_start(self) -> Gaussian:
        """Learned."""
        return Gaussian(self.start_mean, self.start_log_std)

    def prior_drift(self, z: Tensor) -> Tensor:
        """A perceptron."""
        drift: Tensor = self.drift_of_prior(z)
        return drift

    def diffusion(self, z: Tensor) -> Tensor:
        """From 0 to 1."""
        diffusion: Tensor = self.diagonal(z)
        return diffusion

    def posterior_drift(self, z: Tensor, told: Tensor) -> Tensor:
        """A perceptron of the state and of what the encoder knows of the points to come."""
        drift: Tensor = self.drift(z, told)
        return drift

    def posterior(self, observed: Series) -> Posterior:
        """At each time the context is that of the next observed point, or of the last one."""
        context = self.encoder(observed)
        start = Gaussian(*self.to_start(context[:, 0]).chunk(2, dim=-1))
        times, _ = observed.union()
        if observed.regular:
            coming = context.transpose(0, 1)
            coming = torch.cat((coming[1:], coming[-1:]))  # at a point, that of the next one
        else:
            own = torch.where(observed.roles > 0, observed.times, torch.inf).contiguous()
            wanted = times.expand(len(own), -1).contiguous()
            next_point = torch.searchsorted(own, wanted, right=True)
            next_point = torch.minimum(next_point, observed.lengths.unsqueeze(1) - 1)
            wide = next_point.unsqueeze(-1).expand(-1, -1, context.shape[-1])
            coming = torch.gather(context, 1, wide).transpose(0, 1)
        # For each interval between two times, once for all steps in it. Views of one tensor would
        # each have a gradient of its whole size.
        told = self.drift.of_told(torch.cat((context[:, :1].transpose(0, 1), coming))).unbind()
        bounds = times.tolist()

        def at(t: Tensor) -> Tensor:
            now: Tensor = told[bisect_right(bounds, float(t))]
            return now

        shared = [
            *self.drift.parameters(),
            *self.drift_of_prior.parameters(),
            *self.diagonal.parameters(),
        ]
        return Posterior(start, at, (*told, *shared))

    def decode(self, z: Tensor) -> Tensor:
        """A linear map."""
        values: Tensor = self.decoder(z)
        return values


class LatentSdeOfOneSeries(LatentSde):
    r"""Of one series that is the latent state itself, whose prior is given.

    The prior is the stationary Ornstein-Uhlenbeck process

    .. math:: dz = \theta (\mu - z)\, dt + \sigma\, dW, \qquad
              z_0 \sim \mathcal N(\mu, \sigma^2 / 2 \theta)

    and the drift of the posterior, which begins as 0, is told the time by the sines and cosines of
    t, 2 t, 4 t, ...

    Args:
        config: the ``model`` group.
        prior: the ``data`` group.
        spec: how the SDE is solved.
    """

    _prior_mean: Tensor
    _prior_log_std: Tensor
    _multiples: Tensor

    def __init__(self, config: LatentSdeConfig, prior: OuSegmentsConfig, spec: SdeSpec) -> None:
        super().__init__(config, spec)
        self._theta, self._mu, self._sigma = prior.theta, prior.mu, prior.sigma
        mean = torch.full((1, 1), prior.mu)
        log_std = torch.full((1, 1), prior.sigma).log() - 0.5 * torch.tensor(2 * prior.theta).log()
        self.register_buffer("_prior_mean", mean)
        self.register_buffer("_prior_log_std", log_std)
        frequencies = config.frequencies or _FREQUENCIES
        self.register_buffer("_multiples", 2.0 ** torch.arange(frequencies))
        self.drift = PosteriorDrift(1, 2 * frequencies, config.hidden, config.activation)
        last = self.drift.rest[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.start_mean = nn.Parameter(mean.clone())
        self.start_log_std = nn.Parameter(log_std.clone())

    def prior_start(self) -> Gaussian:
        """The stationary distribution."""
        return Gaussian(self._prior_mean, self._prior_log_std)

    def prior_drift(self, z: Tensor) -> Tensor:
        """Back to the mean."""
        return self._theta * (self._mu - z)

    def diffusion(self, z: Tensor) -> Tensor:
        """Constant."""
        return torch.full_like(z, self._sigma)

    def posterior_drift(self, z: Tensor, told: Tensor) -> Tensor:
        """A perceptron."""
        drift: Tensor = self.drift(z, told)
        return drift

    def posterior(self, observed: Series) -> Posterior:
        """The same whatever the values are: it is trained for them."""

        def at(t: Tensor) -> Tensor:
            angles = self._multiples * t
            told: Tensor = self.drift.of_told(torch.cat((angles.sin(), angles.cos()))[None])
            return told

        start = Gaussian(self.start_mean, self.start_log_std)
        return Posterior(start, at, [*self.drift.parameters()])

    def decode(self, z: Tensor) -> Tensor:
        """The state itself."""
        return z


def grid_in(kept: Mapping[str, Any]) -> Times | None:
    """The ``grid`` of a model, from what it keeps beside its weights."""
    grid = kept.get("grid")
    return None if grid is None else np.array(grid, np.float64)


def _times_of(series: Series, further: Tensor | None) -> tuple[Tensor, Tensor]:
    """The times of a solve, from 0 on, and the place of each point among them, ``[B, P]``."""
    times, places = series.union()
    own = times
    if further is not None:
        times = torch.cat((times, further.to(times))).unique()
    if float(times[0]) > 0:
        times = torch.cat((times.new_zeros(1), times))
    if len(times) == 1:  # a solve goes on from there
        times = torch.cat((times, times + 1))
    return times, torch.searchsorted(times, own)[places]


def _at_points(states: Tensor, places: Tensor, regular: bool) -> Tensor:
    """States ``[U, K, B, L]`` at the places of points, ``[K, B, P, L]``."""
    if regular:
        return states[places[0]].permute(1, 2, 0, 3)
    paths = states.permute(1, 2, 0, 3)
    wide = places.unsqueeze(-1).expand(*paths.shape[:2], -1, paths.shape[-1])
    return torch.gather(paths, 2, wide)
