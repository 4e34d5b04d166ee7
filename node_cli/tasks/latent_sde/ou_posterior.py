r"""The exact posterior of an Ornstein-Uhlenbeck process with normal noise.

The stationary process is a Gaussian process with

.. math:: E\, z_t = \mu, \qquad
          \operatorname{cov}(z_s, z_t) = \frac{\sigma^2}{2\theta} e^{-\theta |s - t|}

so that everything about it given observations is in closed form.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from node_cli.tasks.latent_sde.schema import OuSegmentsConfig


class OuPosterior:
    """Of one series; computed in double precision.

    Args:
        prior: the process.
        times: of the observations, increasing, ``[P]``.
        values: that were observed, ``[P]``.
        noise: standard deviation of an observation.
    """

    def __init__(
        self, prior: OuSegmentsConfig, times: Tensor, values: Tensor, noise: float
    ) -> None:
        self._prior, self._noise = prior, noise
        self._times = times.detach().cpu().double()
        self._residual = values.detach().cpu().double() - prior.mu
        self._factor = torch.linalg.cholesky(
            self._covariance(self._times, self._times) + noise**2 * torch.eye(len(times))
        )

    def log_evidence(self) -> float:
        """The log-density of the observations, in nats."""
        whitened = torch.linalg.solve_triangular(self._factor, self._residual[:, None], upper=False)
        constant = 0.5 * len(self._times) * math.log(2 * math.pi)
        return float(
            -0.5 * whitened.square().sum() - self._factor.diagonal().log().sum() - constant
        )

    def marginals(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations of the state at times, ``[T]`` each."""
        cross = self._covariance(times.detach().cpu().double(), self._times)
        mean = self._prior.mu + cross @ torch.cholesky_solve(
            self._residual[:, None], self._factor
        ).squeeze(1)
        explained = torch.linalg.solve_triangular(self._factor, cross.T, upper=False)
        variance = self._prior.sigma**2 / (2 * self._prior.theta) - explained.square().sum(dim=0)
        return mean, variance.clamp(min=0).sqrt()

    def drift(self, t: float, z: Tensor) -> Tensor:
        r"""The drift of the posterior, of states ``[N]`` at a time.

        .. math:: f(t, z) = \theta (\mu - z)
                  + \sigma^2\, \partial_z \log p(\text{later observations} | z_t = z)
        """
        theta, mu, sigma = self._prior.theta, self._prior.mu, self._prior.sigma
        z = z.detach().cpu().double()
        later = self._times > t
        prior: Tensor = theta * (mu - z)
        if not bool(later.any()):
            return prior
        times, residual = self._times[later], self._residual[later]
        decay = (-theta * (times - t)).exp()
        covariance = self._covariance(times, times)
        covariance -= sigma**2 / (2 * theta) * torch.outer(decay, decay)
        covariance += self._noise**2 * torch.eye(len(times))
        solved = torch.linalg.solve(covariance, decay)
        return prior + sigma**2 * (
            torch.dot(solved, residual) - (z - mu) * torch.dot(solved, decay)
        )

    def _covariance(self, s: Tensor, t: Tensor) -> Tensor:
        theta, sigma = self._prior.theta, self._prior.sigma
        apart = (s[:, None] - t[None, :]).abs()
        return sigma**2 / (2 * theta) * (-theta * apart).exp()
