"""Latent-variable models of time series: the latent ODE, and the RNN-VAE beside it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from node_cli.models.mlp_field import MlpField
from node_cli.models.model_with_units import ModelWithUnits
from node_cli.models.ode_solve import OdeSolve
from node_cli.solving import SolveSpec
from node_cli.solving.compiled_module import call_for_points
from node_cli.tasks.series.class_scores import class_head
from node_cli.tasks.series.observed import Series
from node_cli.tasks.series.recognition import Encoder, OdeRnnEncoder, Posterior, RecurrentEncoder
from node_cli.tasks.series.schema import LatentOdeConfig, RnnVaeConfig, VariationalConfig


class Reconstruction(NamedTuple):
    """What a model says of the points of a series.

    Attributes:
        mean: predicted values ``[K, B, P, D]``, for K samples of the posterior.
        log_likelihood: of the observed points, in nats, ``[K, B]``.
        samples: z at time 0, ``[K, B, L]``.
        posterior: where they are from.
        logits: of the classes, from each sample, ``[K, B, C]``; None: there are no classes.
    """

    mean: Tensor
    log_likelihood: Tensor
    samples: Tensor
    posterior: Posterior
    logits: Tensor | None = None


class LatentSeriesModel(ModelWithUnits, ABC):
    r"""An encoder, a latent trajectory and a decoder.

    .. math:: z_0 \sim q(z_0 | x), \quad z(t) \text{ from } z_0, \quad
              x(t) \sim \mathcal N(g(z(t)), \sigma^2)

    (Chen et al. 2018, section 5.) With classes, a head on :math:`z_0` tells them (Rubanova et al.
    2019, section 4.3).

    Args:
        config: the ``model`` group.
        dimensions: D, values at each time.
        masked: values can be missing.
        spec: how the encoder's ODE is solved, where it has one.
        classes: C, how many kinds of series there are to be told apart; 0: none.
    """

    def __init__(
        self,
        config: VariationalConfig,
        dimensions: int,
        masked: bool,
        spec: SolveSpec,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.masked = masked
        self.encoder = _encoder(config, dimensions, masked, spec)
        self.decoder = nn.Sequential(
            nn.Linear(self._decoded(config), config.decoder_hidden),
            nn.ReLU(),
            nn.Linear(config.decoder_hidden, dimensions),
        )
        log_noise = torch.tensor(math.log(config.noise))
        if config.learn_noise:
            self.log_noise: Tensor = nn.Parameter(log_noise)
        else:
            self.register_buffer("log_noise", log_noise)
        self.head = class_head(config.latent, config.decoder_hidden, classes) if classes else None

    def forward(self, series: Series, samples: int = 1) -> Reconstruction:
        """Predictions at all points of the series, from the observed ones.

        Args:
            series: B series with P points.
            samples: K.
        """
        posterior: Posterior = self.encoder(series)
        z0 = posterior.sample(samples)
        return self.decode(series, z0, posterior)

    def decode(self, series: Series, z0: Tensor, posterior: Posterior) -> Reconstruction:
        """The same, from samples ``[K, B, L]`` of the latent state at time 0."""
        states, about_times = self.trajectories(series, z0)
        mean = self._means(states)
        log_likelihood = about_times + gaussian_log_likelihood(
            series.values, mean, self.log_noise, series.observed
        )
        logits = None if self.head is None else self.head(z0)
        return Reconstruction(mean, log_likelihood, z0, posterior, logits)

    def _means(self, states: Tensor) -> Tensor:
        """What the decoder says at states ``[..., .]``."""
        means: Tensor = self.decoder(states)
        return means

    @abstractmethod
    def trajectories(self, series: Series, z0: Tensor) -> tuple[Tensor, Tensor]:
        """States at all points, ``[K, B, P, .]``, and log-likelihoods of the times, ``[K, B]``."""

    @staticmethod
    def _decoded(config: VariationalConfig) -> int:
        """The width of the states that the decoder reads."""
        return config.latent


class LatentOde(LatentSeriesModel):
    r"""The latent ODE of Chen et al. 2018 and Rubanova et al. 2019.

    One solve runs over the union of all times of the batch from 0 upwards, and another from 0
    downwards where there are earlier ones. With ``poisson``, the times of the observations are
    those of an inhomogeneous Poisson process with intensity :math:`\lambda(z(t))`,

    .. math:: \log p(t_1, \dots, t_n) = \sum_i \log \lambda(z(t_i))
              - \int_{0}^{t_n} \lambda(z(t))\, dt

    whose integral is solved with the trajectory.
    """

    def __init__(
        self,
        config: LatentOdeConfig,
        dimensions: int,
        masked: bool,
        spec: SolveSpec,
        classes: int = 0,
    ) -> None:
        super().__init__(config, dimensions, masked, spec, classes)
        self.solve = OdeSolve(spec)
        self.field = MlpField(config.latent, config.hidden, "elu")
        self.intensity = nn.Linear(config.latent, 1) if config.poisson else None

    def trajectories(self, series: Series, z0: Tensor) -> tuple[Tensor, Tensor]:
        """Latent states at all points, ``[K, B, P, L]``; what the Poisson process says of times."""
        union, index = series.union()
        latent, integral = self._along(union, z0)
        states = latent.permute(1, 2, 0, 3)
        if not series.regular:
            wide = index.unsqueeze(-1).expand(*states.shape[:2], -1, states.shape[-1])
            states = torch.gather(states, 2, wide)
        if self.intensity is None:
            return states, z0.new_zeros(z0.shape[:2])
        assert integral is not None
        rate = self._rate(states).log() - self._log_time_scale
        observed = series.observed.any(dim=-1)
        last = torch.where(observed, index, -1).max(dim=1).values
        until = integral.permute(1, 2, 0)
        until = torch.gather(until, 2, last.clamp(min=0).view(1, -1, 1).expand(len(until), -1, 1))
        until = until.squeeze(2) * (last >= 0)
        return states, (rate * observed).sum(dim=-1) - until

    def _means(self, states: Tensor) -> Tensor:
        if self.solve.spec.is_compiled:
            return call_for_points(self.decoder, states, "the decoder")
        return super()._means(states)

    @property
    def _log_time_scale(self) -> float:
        """Of the data: a rate is a number of points in a unit of the user's time."""
        return 0.0 if self.units is None else math.log(self.units.time_scale)

    def _along(self, union: Tensor, z0: Tensor) -> tuple[Tensor, Tensor | None]:
        """States ``[U, K, B, L]`` at increasing times, and the intensity's integral from 0."""
        below = int((union < 0).sum())
        pieces = []
        if below:
            pieces.append([part.flip(0) for part in self._from_zero(union[:below].flip(0), z0)])
        if below < len(union):
            pieces.append(self._from_zero(union[below:], z0))
        latent, *integral = (torch.cat(parts) for parts in zip(*pieces, strict=True))
        return latent, integral[0] if integral else None

    def _from_zero(self, times: Tensor, z0: Tensor) -> list[Tensor]:
        with_zero = torch.cat((times.new_zeros(1), times)) if float(times[0]) != 0 else times
        parameters = [*self.field.parameters()]
        points = z0.reshape(-1, z0.shape[-1])
        if self.intensity is None:
            values = self.solve(self.field, points, with_zero, parameters)
        else:
            parameters += self.intensity.parameters()
            start = (points, points.new_zeros(len(points)))
            values = self.solve(self._with_intensity, start, with_zero, parameters)
        parts = [values] if isinstance(values, Tensor) else list(values)
        at_times = (part[len(with_zero) - len(times) :] for part in parts)
        return [part.reshape(len(times), *z0.shape[:2], *part.shape[2:]) for part in at_times]

    def _with_intensity(self, t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return self.field(t, state[0]), self._rate(state[0])

    def _rate(self, z: Tensor) -> Tensor:
        assert self.intensity is not None
        # Kept off zero, where its logarithm would not be finite.
        return functional.softplus(self.intensity(z)).squeeze(-1) + 1e-6


class RnnVae(LatentSeriesModel):
    """A GRU that is told the time from point to point, in the place of the latent ODE."""

    def __init__(
        self,
        config: RnnVaeConfig,
        dimensions: int,
        masked: bool,
        spec: SolveSpec,
        classes: int = 0,
    ) -> None:
        super().__init__(config, dimensions, masked, spec, classes)
        self.start = nn.Linear(config.latent, config.hidden)
        self.recurrent = nn.GRU(1, config.hidden, batch_first=True)

    def trajectories(self, series: Series, z0: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states at all points, ``[K, B, P, hidden]``, in the order of time."""
        samples, batch, _ = z0.shape
        before = torch.cat((torch.zeros_like(series.times[:, :1]), series.times[:, :-1]), dim=1)
        gaps = (series.times - before).unsqueeze(-1).repeat(samples, 1, 1)
        start = torch.tanh(self.start(z0)).reshape(1, samples * batch, -1)
        states, _ = self.recurrent(gaps, start)
        return states.reshape(samples, batch, *states.shape[1:]), z0.new_zeros(samples, batch)

    @staticmethod
    def _decoded(config: VariationalConfig) -> int:
        assert isinstance(config, RnnVaeConfig)
        return config.hidden


def gaussian_log_likelihood(
    values: Tensor, mean: Tensor, log_noise: Tensor, counted: Tensor
) -> Tensor:
    """The log-likelihood of values ``[B, P, D]`` where ``counted``, in nats, ``[..., B]``."""
    scaled = (values - mean) * (-log_noise).exp()
    each = -0.5 * scaled.square() - log_noise - 0.5 * math.log(2 * math.pi)
    return (each * counted).sum(dim=(-2, -1))


def negative_elbo(found: Reconstruction, kl_weight: float) -> tuple[Tensor, Tensor]:
    r"""Of each series in nats, ``[B]``: :math:`-E_q \log p(x|z_0) + \beta\, KL(q \| p)`; the KL."""
    divergence = found.posterior.divergence()
    return kl_weight * divergence - found.log_likelihood.mean(dim=0), divergence


def importance_weighted_bound(found: Reconstruction) -> Tensor:
    r"""Burda et al. 2016, in nats, ``[B]``; at least the ELBO, and closer with more samples.

    .. math:: \log \frac1K \sum_k \frac{p(x | z_k)\, p(z_k)}{q(z_k | x)}
    """
    prior = Posterior(torch.zeros_like(found.samples), torch.zeros_like(found.samples))
    weights = (
        found.log_likelihood
        + prior.log_density(found.samples)
        - found.posterior.log_density(found.samples)
    )
    return weights.logsumexp(dim=0) - math.log(len(weights))


def _encoder(config: VariationalConfig, dimensions: int, masked: bool, spec: SolveSpec) -> Encoder:
    if config.encoder == "ode-rnn":
        return OdeRnnEncoder(dimensions, config.encoder_hidden, config.latent, masked, spec)
    return RecurrentEncoder(
        dimensions,
        config.encoder_hidden,
        config.latent,
        gated=config.encoder == "gru",
        gaps=config.encoder_gaps,
        masked=masked,
    )
