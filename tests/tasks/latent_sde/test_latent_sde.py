"""The models: paths, their likelihood and their divergence."""

import math

import pytest
import torch
from scipy.stats import laplace, norm
from tasks.latent_sde.settings import model_config, segments_config

from node_cli.solving.sde import SdeSpec
from node_cli.tasks.latent_sde.comparison import evidence_gap, true_posterior
from node_cli.tasks.latent_sde.gaussian import Gaussian
from node_cli.tasks.latent_sde.latent_sde import (
    Inference,
    LatentSdeOfOneSeries,
    LatentSdeOfSeries,
    PosteriorPaths,
)
from node_cli.tasks.latent_sde.networks import ContextEncoder, DiagonalDiffusion, PosteriorDrift
from node_cli.tasks.latent_sde.observation import Observation
from node_cli.tasks.latent_sde.scores import Scores
from node_cli.tasks.latent_sde.segments import ou_segments
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, UNSEEN, OneSeries, Series

pytest.importorskip("torchsde")
COARSE = SdeSpec("ito-euler", step_size=0.05)


def irregular(count=3, dimensions=2):
    """Series of their own lengths and times, with held-out points and a missing value."""
    generator = torch.Generator().manual_seed(1)
    made = []
    for i in range(count):
        n = 4 + i
        roles = torch.full((n,), OBSERVED)
        roles[1], roles[-1] = UNSEEN, FORWARD
        times = torch.rand(n, generator=generator).sort().values + 0.05 * i
        made.append(OneSeries(times, torch.randn(n, dimensions, generator=generator), roles))
    made[0].values[0, 0] = math.nan
    return Series.padded(made)


@pytest.fixture
def many():
    torch.manual_seed(0)
    return LatentSdeOfSeries(model_config(), 2, gaps=True, masked=True, spec=COARSE)


def test_shapes_and_seeds(many):
    series = irregular()
    found = many(series, samples=4, seed=3)
    assert found.mean.shape == (4, 3, 6, 2)
    assert found.log_likelihood.shape == found.path_kl.shape == (4, 3)
    assert found.states.shape == (len(found.times), 4, 3, 4)
    assert (found.path_kl > 0).all()
    again, other = many(series, 4, 3), many(series, 4, 4)
    assert torch.equal(found.mean, again.mean)
    assert not torch.equal(found.mean, other.mean)


def test_a_series_is_not_changed_by_its_neighbours(many):
    """Not by their times, nor by padding; only the draws differ, so there is no noise here."""
    series = irregular()
    many.diagonal.out_bias.data.fill_(-200.0)  # no diffusion
    many.to_start.weight.data[4:] = 0
    many.to_start.bias.data[4:] = -100.0
    fine = SdeSpec("ito-euler", step_size=0.01)
    many.solve.spec = fine
    with torch.no_grad():
        together = many(series, 1, 0).mean
        for i in range(3):
            alone = many(series[i : i + 1], 1, 0).mean
            n = int(series.lengths[i])
            torch.testing.assert_close(together[:, i, :n], alone[:, 0, :n], atol=0.03, rtol=0)


def test_held_out_points_are_not_shown(many):
    series = irregular()
    values = series.values.clone()
    values[series.roles > OBSERVED] += 100.0
    changed = Series(series.times, values, series.known, series.roles)
    with torch.no_grad():
        assert torch.equal(many(series, 2, 0).mean, many(changed, 2, 0).mean)


def test_after_its_last_observation_a_series_follows_the_prior(many):
    series = irregular()
    seen = {}
    for now in (0.1, 5.0):
        t = torch.tensor(now)
        z = torch.randn(3, 4)
        posterior = many.posterior(series.observed)
        paths = PosteriorPaths(many, posterior.told, series.observed.ends)
        seen[now] = torch.equal(paths.drift(t, z), paths.prior_drift(t, z))
    assert seen == {0.1: False, 5.0: True}


@pytest.mark.parametrize("mode", ["direct", "full"])
def test_every_parameter_has_a_gradient(many, mode):
    many.solve.spec = SdeSpec("ito-euler", step_size=0.05, adjoint=mode)
    many(irregular().observed, 2, 0).negative_elbo(1.0).mean().backward()
    for name, parameter in many.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


def test_gradients_of_the_adjoint_are_those_of_backpropagation(many):
    """In the limit of small steps, on the same Brownian path."""
    many.double()
    series = irregular(2).observed
    series = Series(series.times.double(), series.values.double(), series.known, series.roles)
    gradients = []
    for mode in ("direct", "full"):
        many.solve.spec = SdeSpec("ito-milstein", step_size=0.01, adjoint=mode)
        many.zero_grad()
        many(series, 1, 0).negative_elbo(1.0).mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in many.parameters()]))
    error = (gradients[0] - gradients[1]).norm() / gradients[0].norm()
    assert 0 < float(error) < 0.1


def test_the_encoder_reads_a_series_as_if_it_were_alone():
    torch.manual_seed(0)
    encoder = ContextEncoder(2, 6, 3, gaps=True, masked=True)
    observed = irregular().observed
    together = encoder(observed)
    for i, n in enumerate(observed.lengths.tolist()):
        alone = Series(
            observed.times[i : i + 1, :n],
            observed.values[i : i + 1, :n],
            observed.known[i : i + 1, :n],
            observed.roles[i : i + 1, :n],
        )
        assert alone.regular
        torch.testing.assert_close(together[i, :n], encoder(alone)[0])


def test_the_diffusion_of_each_dimension_is_a_network_of_it_alone():
    torch.manual_seed(0)
    diffusion = DiagonalDiffusion(3, 5, "softplus")
    z = torch.randn(7, 3)
    first = torch.nn.Linear(1, 5)
    last = torch.nn.Linear(5, 1)
    for i in range(3):
        with torch.no_grad():
            first.weight.copy_(diffusion.weight[i, :, None])
            first.bias.copy_(diffusion.bias[i])
            last.weight.copy_(diffusion.out_weight[i, None])
            last.bias.copy_(diffusion.out_bias[i : i + 1])
        alone = torch.sigmoid(last(torch.nn.functional.softplus(first(z[:, i : i + 1]))))
        torch.testing.assert_close(diffusion(z)[:, i : i + 1], alone)


def test_the_drift_of_the_posterior_is_one_perceptron():
    torch.manual_seed(0)
    drift = PosteriorDrift(2, 3, 8, "tanh")
    z, told = torch.randn(10, 2), torch.randn(5, 3)
    weight = torch.cat((drift.of_state.weight, drift.of_told.weight), dim=1)
    inputs = torch.cat((z, told.repeat(2, 1)), dim=1)
    expected = drift.rest(
        torch.tanh(torch.nn.functional.linear(inputs, weight, drift.of_told.bias))
    )
    torch.testing.assert_close(drift(z, drift.of_told(told)), expected)


@pytest.mark.parametrize(("kind", "distribution"), [("normal", norm), ("laplace", laplace)])
def test_likelihoods_and_quantiles(kind, distribution):
    observation = Observation(kind, 0.3, learned=True)
    values, mean = torch.tensor([0.5, -2.0]), torch.tensor([[0.1, -1.9], [0.9, 0.0]])
    expected = distribution(mean.numpy(), 0.3)
    torch.testing.assert_close(
        observation.log_likelihood(values, mean).detach().double(),
        torch.from_numpy(expected.logpdf(values.numpy())), rtol=1e-4, atol=1e-4,
    )  # fmt: skip
    torch.testing.assert_close(
        observation.quantile_of(values, mean).detach().double(),
        torch.from_numpy(expected.cdf(values.numpy())).mean(dim=0), rtol=1e-5, atol=1e-6,
    )  # fmt: skip


def test_the_divergence_of_normal_distributions():
    q = Gaussian(torch.tensor([[0.3, -1.0]]), torch.tensor([[0.2, -0.5]]))
    p = Gaussian(torch.tensor([[0.0, 0.4]]), torch.tensor([[0.0, 0.3]]))
    ours = q.divergence(p)
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(q.mean, q.log_std.exp()),
        torch.distributions.Normal(p.mean, p.log_std.exp()),
    ).sum(dim=-1)
    torch.testing.assert_close(ours, theirs)


class Exact(LatentSdeOfOneSeries):
    """A posterior that is the true one."""

    def __init__(self, config, prior, spec, truth):
        super().__init__(config, prior, spec)
        self.truth, self.now = truth, 0.0

    def posterior(self, observed):
        found = super().posterior(observed)
        mean, deviation = self.truth.marginals(torch.zeros(1))
        start = Gaussian(mean.view(1, 1), deviation.log().view(1, 1))

        def told(t):
            self.now = float(t)
            return torch.zeros(1, 1, dtype=torch.float64)

        return found._replace(start=start, told=told)

    def posterior_drift(self, z, told):
        return self.truth.drift(self.now, z[:, 0]).unsqueeze(1)


def test_the_elbo_of_the_true_posterior_is_the_evidence():
    """Up to the steps of the solver and the number of paths; of the prior it is far below."""
    prior = segments_config()
    series = ou_segments(prior, 0).parts[0]
    config = model_config(noise=0.3)
    spec = SdeSpec("ito-euler", step_size=0.004)
    truth = true_posterior(prior, series, Observation("normal", 0.3, learned=False))
    exact = Exact(config, prior, spec, truth).double()
    plain = LatentSdeOfOneSeries(config, prior, spec).double()
    series = Series(series.times.double(), series.values.double(), series.known, series.roles)
    with torch.no_grad():
        found = exact(series, 500, 0)
        gap = evidence_gap(prior, series, found, exact.observation)
        each = found.path_kl - found.log_likelihood
        error = float(each.std()) / math.sqrt(each.numel())
        far = evidence_gap(prior, series, plain(series, 100, 0), plain.observation)
    assert abs(gap) < 3 * error + 0.05
    assert error < 0.25
    assert far > 5


def test_scores_of_a_prediction_that_is_known():
    """Predictions of 0 with standard normal noise: 1/4 and 3/4 quantiles at -0.674 and 0.674."""
    values = torch.tensor([0.5, -0.5, 1.0, 0.1, 3.0]).view(1, 5, 1)
    roles = torch.tensor([[OBSERVED, UNSEEN, FORWARD, FORWARD, FORWARD]])
    series = Series(
        torch.arange(5.0)[None], values, torch.ones_like(values, dtype=torch.bool), roles
    )
    found = Inference(
        torch.zeros(2, 1, 5, 1), torch.tensor([[-1.0], [-3.0]]), torch.tensor([[2.0], [4.0]]),
        torch.tensor([0.5]), torch.arange(5.0), torch.zeros(5, 2, 1, 1),
    )  # fmt: skip
    scores = Scores()
    scores.add(series, found, Observation("normal", 1.0, learned=False))
    expected = {
        "loss": 2.0 + 3.0 + 0.5,
        "path_kl": 3.0,
        "start_kl": 0.5,
        "rmse_observed": 0.5,
        "rmse_unseen": 0.5,
        "rmse_forward": math.sqrt((1 + 0.01 + 9) / 3),
        "rmse_forward_of_last": math.sqrt((0.25 + 0.16 + 6.25) / 3),
        "inside_50": 0.5,
        "inside_90": 0.75,
    }
    assert scores.metrics() == pytest.approx(expected, rel=1e-6)
