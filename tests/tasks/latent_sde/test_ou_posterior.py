"""The exact posterior of an OU process, against other ways to it."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from node_cli.tasks.latent_sde.ou_posterior import OuPosterior
from node_cli.tasks.latent_sde.schema import OuSegmentsConfig

PRIOR = OuSegmentsConfig(
    name="ou-segments", theta=0.7, mu=0.4, sigma=0.6, noise=0.0, steps=1, batch_size=1,
    eval_batch_size=1,
)  # fmt: skip
TIMES = torch.tensor([0.2, 0.5, 0.9, 1.3])
VALUES = torch.tensor([0.1, 0.9, 0.3, -0.2])
NOISE = 0.15


def euler_chain(last, steps):
    """The mean and covariance of the process at 0, h, 2 h, ..., last; exact transitions."""
    h = last / steps
    decay = np.exp(-PRIOR.theta * h)
    variance = PRIOR.sigma**2 / (2 * PRIOR.theta)
    places = np.arange(steps + 1)
    covariance = variance * decay ** np.abs(places[:, None] - places[None, :])
    return h, np.full(steps + 1, PRIOR.mu), covariance


def test_the_evidence_is_that_of_a_normal_distribution():
    posterior = OuPosterior(PRIOR, TIMES, VALUES, NOISE)
    _, mean, covariance = euler_chain(1.3, 13)
    at = [2, 5, 9, 13]
    density = multivariate_normal(mean[at], covariance[np.ix_(at, at)] + NOISE**2 * np.eye(len(at)))
    assert posterior.log_evidence() == pytest.approx(density.logpdf(VALUES.double()), abs=1e-6)


def test_marginals_are_conditional_distributions():
    posterior = OuPosterior(PRIOR, TIMES, VALUES, NOISE)
    h, mean, covariance = euler_chain(2.0, 20)
    at = [2, 5, 9, 13]
    gain = covariance[:, at] @ np.linalg.inv(covariance[np.ix_(at, at)] + NOISE**2 * np.eye(4))
    expected = mean + gain @ (VALUES.double().numpy() - mean[at])
    variance = np.diag(covariance - gain @ covariance[at])
    found, deviation = posterior.marginals(torch.arange(21) * h)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(deviation, np.sqrt(variance), atol=1e-6)


@pytest.mark.parametrize("time", [0.0, 0.35, 1.1])
def test_the_drift_is_the_slope_of_the_posterior_mean_from_a_state(time):
    """The mean a moment later of a path at z, by conditioning on z and the later values."""
    posterior = OuPosterior(PRIOR, TIMES, VALUES, NOISE)
    z = torch.tensor([-0.5, 0.2, 1.0])
    later = TIMES[time < TIMES].double().numpy()
    h = 1e-5
    places = np.array([time, time + h, *later])
    variance = PRIOR.sigma**2 / (2 * PRIOR.theta)
    covariance = variance * np.exp(-PRIOR.theta * np.abs(places[:, None] - places[None, :]))
    known = covariance + np.diag([0, 0, *[NOISE**2] * len(later)])
    rest = [0, *range(2, len(places))]
    gain = np.linalg.solve(known[np.ix_(rest, rest)], known[rest, 1])
    given = VALUES[time < TIMES].double().numpy() - PRIOR.mu
    expected = [
        (PRIOR.mu + gain @ np.array([state - PRIOR.mu, *given]) - state) / h for state in z.tolist()
    ]
    np.testing.assert_allclose(posterior.drift(time, z), expected, rtol=1e-3, atol=1e-3)


def test_after_the_last_observation_the_drift_is_that_of_the_prior():
    z = torch.tensor([0.0, 1.0])
    drift = OuPosterior(PRIOR, TIMES, VALUES, NOISE).drift(1.4, z)
    torch.testing.assert_close(drift, 0.7 * (0.4 - z.double()))
