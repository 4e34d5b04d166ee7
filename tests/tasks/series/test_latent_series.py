import math
from contextlib import suppress

import pytest
import torch
from torch import nn

from node_cli.solving import SolveSpec, record_solves
from node_cli.tasks.series.autoregressive import Autoregressive
from node_cli.tasks.series.latent_series import (
    LatentOde,
    RnnVae,
    gaussian_log_likelihood,
    importance_weighted_bound,
    negative_elbo,
)
from node_cli.tasks.series.observed import ROLES, Series
from node_cli.tasks.series.recognition import OdeRnnEncoder, Posterior, RecurrentEncoder
from node_cli.tasks.series.schema import AutoregressiveConfig, LatentOdeConfig, RnnVaeConfig
from node_cli.tasks.series.tanh_rnn import TanhRNN, tiny_as_zero

SPEC = SolveSpec(rtol=1e-8, atol=1e-8)
SHARED = {
    "latent": 3,
    "encoder_hidden": 5,
    "encoder_gaps": True,
    "decoder_hidden": 6,
    "noise": 0.4,
    "learn_noise": True,
    "kl_warmup": 0.0,
    "samples": 1,
    "iwae_samples": 1,
}


def latent_ode(encoder="gru", poisson=False, spec=SPEC, masked=False, dimensions=2):
    torch.manual_seed(0)
    config = LatentOdeConfig(
        name="latent-ode", hidden=(8,), encoder=encoder, poisson=poisson, **SHARED
    )
    return LatentOde(config, dimensions, masked, spec).double()


def ragged(seed=0, count=4, points=6, earliest=0.1):
    """Series with different times and lengths."""
    generator = torch.Generator().manual_seed(seed)
    gaps = 0.1 + torch.rand(count, points, generator=generator).double()
    times = gaps.cumsum(1) - gaps[:, :1] + earliest
    values = torch.randn(count, points, 2, generator=generator).double()
    roles = torch.full((count, points), ROLES["observed"])
    roles[0, 3] = ROLES["unseen"]
    roles[1, 4:] = 0
    roles[2, 5:] = ROLES["forward"]
    there = roles > 0
    values = values * there.unsqueeze(-1)
    known = there.unsqueeze(-1).expand(-1, -1, 2).clone()
    return Series(times * there, values, values.clone(), known, roles)


def one(series, i):
    """One series alone, without its padding."""
    there = series.roles[i] > 0
    return Series(
        series.times[i : i + 1, there],
        series.values[i : i + 1, there],
        series.truth[i : i + 1, there],
        series.known[i : i + 1, there],
        series.roles[i : i + 1, there],
    )


def test_the_plain_recurrent_layer_is_torchs():
    torch.manual_seed(0)
    mine, theirs = TanhRNN(3, 4).double(), nn.RNN(3, 4, batch_first=True).double()
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(mine.from_input.weight)
        theirs.weight_hh_l0.copy_(mine.from_state.weight)
        theirs.bias_ih_l0.copy_(mine.from_input.bias)
        theirs.bias_hh_l0.zero_()
    x = torch.randn(5, 7, 3).double()
    torch.testing.assert_close(mine(x), theirs(x)[0][:, -1])
    begun = torch.arange(7) >= torch.tensor([0, 2, 3, 6, 1]).unsqueeze(1)
    found = mine(x, begun)
    for i, start in enumerate([0, 2, 3, 6, 1]):
        torch.testing.assert_close(found[i], theirs(x[i : i + 1, start:])[0][0, -1])


def test_the_gradients_of_the_plain_recurrent_layer_are_right():
    torch.manual_seed(0)
    layer = TanhRNN(2, 3).double()
    x = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    begun = torch.tensor([[True] * 4, [False, False, True, True]])
    assert torch.autograd.gradcheck(lambda x, *_: layer(x, begun), (x, *layer.parameters()))


def test_gradients_that_vanish_are_zero_and_not_almost():
    torch.manual_seed(0)
    layer = TanhRNN(2, 3)
    with torch.no_grad():
        layer.from_state.weight.mul_(0.01)
    x = torch.randn(4, 40, 2, requires_grad=True)
    layer(x).sum().backward()
    sizes = x.grad.abs()
    assert not ((sizes > 0) & (sizes < torch.finfo(torch.float32).tiny)).any()
    assert (sizes[:, :10] == 0).all()
    assert (sizes[:, -5:] > 0).all()


@pytest.mark.parametrize("before", [False, True])
def test_tiny_numbers_are_zero_inside_alone(before):
    small = torch.tensor(torch.finfo(torch.float32).tiny)
    torch.set_flush_denormal(before)
    try:
        with tiny_as_zero():
            assert small / 2 == 0
        with suppress(ValueError), tiny_as_zero():
            raise ValueError
        assert bool(small / 2 == 0) is before
    finally:
        torch.set_flush_denormal(False)


ENCODERS = {
    "rnn": lambda: RecurrentEncoder(2, 5, 3, gated=False, gaps=True, masked=False),
    "gru": lambda: RecurrentEncoder(2, 5, 3, gated=True, gaps=True, masked=False),
    "masked": lambda: RecurrentEncoder(2, 5, 3, gated=False, gaps=True, masked=True),
    "ode-rnn": lambda: OdeRnnEncoder(2, 5, 3, masked=False, spec=SPEC),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_reads_each_series_as_if_it_were_alone(name):
    """Padding, other series' times and points that are not observed make no difference."""
    torch.manual_seed(0)
    encoder = ENCODERS[name]().double()
    series = ragged(earliest=0.0 if name == "ode-rnn" else 0.1)
    together = encoder(series)
    hidden = Series(
        series.times,
        torch.where((series.roles == ROLES["observed"]).unsqueeze(-1), series.values, 99.0),
        series.truth,
        series.known,
        series.roles,
    )
    torch.testing.assert_close(encoder(hidden).mean, together.mean)
    for i in range(len(series)):
        alone = encoder(one(series, i))
        torch.testing.assert_close(alone.mean[0], together.mean[i], atol=1e-6, rtol=0)
        torch.testing.assert_close(
            alone.log_variance[0], together.log_variance[i], atol=1e-6, rtol=0
        )


def test_an_encoder_takes_a_cell_that_gives_half_precision():
    """As autocast has it on a GPU."""
    encoder = ENCODERS["ode-rnn"]().double()
    exact = encoder(ragged()).mean
    encoder.update.register_forward_hook(lambda _cell, _inputs, state: state.bfloat16())
    torch.testing.assert_close(encoder(ragged()).mean, exact, rtol=0.05, atol=0.05)


def test_an_encoder_reads_backwards():
    """The earliest point has the last word: with no weight on the state it is all that counts."""
    torch.manual_seed(0)
    encoder = ENCODERS["rnn"]().double()
    series = ragged()
    nn.init.zeros_(encoder.recurrent.from_state.weight)
    changed = series.values.clone()
    changed[:, 1:] += 1.0
    other = Series(series.times, changed, changed, series.known, series.roles)
    torch.testing.assert_close(encoder(series).mean, encoder(other).mean)


@pytest.mark.parametrize("poisson", [False, True])
def test_series_of_a_batch_are_solved_together_and_as_if_alone(poisson):
    model = latent_ode(poisson=poisson)
    series = ragged()
    z0 = torch.randn(2, 4, 3).double()
    with record_solves() as solves:
        states, about_times = model.trajectories(series, z0)
    assert len(solves) == 1
    for i in range(4):
        alone = one(series, i)
        found, alone_times = model.trajectories(alone, z0[:, i : i + 1])
        there = series.roles[i] > 0
        torch.testing.assert_close(states[:, i, there], found[:, 0], atol=1e-5, rtol=0)
        torch.testing.assert_close(about_times[:, i], alone_times[:, 0], atol=1e-5, rtol=0)


def test_times_before_zero_are_solved_backwards():
    model = latent_ode()
    series = ragged(earliest=-0.7)
    z0 = torch.randn(1, 4, 3).double()
    states, _ = model.trajectories(series, z0)
    # From the state at the earliest point forwards to time 0 it is z0 again.
    first = states[0, :, 0]
    for i in range(4):
        times = torch.stack((series.times[i, 0], torch.zeros(()).double()))
        from node_cli.solving import solve

        back = solve(model.field, first[i : i + 1], times, SPEC).values[-1]
        torch.testing.assert_close(back[0], z0[0, i], atol=1e-6, rtol=0)


def test_the_poisson_likelihood_is_that_of_its_formula():
    """With a rate that does not depend on z: n log(rate) - rate t_n."""
    model = latent_ode(poisson=True)
    nn.init.zeros_(model.intensity.weight)
    nn.init.constant_(model.intensity.bias, 1.3)
    rate = math.log1p(math.exp(1.3)) + 1e-6
    series = ragged()
    _, found = model.trajectories(series, torch.randn(1, 4, 3).double())
    observed = series.roles == ROLES["observed"]
    last = torch.where(observed, series.times, -1.0).amax(dim=1)
    truth = observed.sum(1) * math.log(rate) - rate * last
    torch.testing.assert_close(found[0], truth, atol=1e-6, rtol=0)


@pytest.mark.parametrize("adjoint", ["direct", "full", "checkpointed"])
@pytest.mark.parametrize("poisson", [False, True])
def test_gradients_of_the_elbo_are_right(adjoint, poisson):
    model = latent_ode(poisson=poisson, spec=SolveSpec(rtol=1e-10, atol=1e-10, adjoint=adjoint))
    series = ragged()

    def loss(*_):
        torch.manual_seed(3)
        return negative_elbo(model(series, 2), 1.0)[0].sum()

    assert torch.autograd.gradcheck(
        loss, tuple(model.parameters()), atol=1e-5, rtol=1e-3, nondet_tol=1e-6, fast_mode=True
    )


def test_the_divergence_and_the_likelihood_are_torchs():
    posterior = Posterior(torch.randn(4, 3), torch.randn(4, 3))
    normal = torch.distributions.Normal(posterior.mean, (posterior.log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
    truth = torch.distributions.kl_divergence(normal, prior).sum(1)
    torch.testing.assert_close(posterior.divergence(), truth)
    values, mean = torch.randn(2, 5, 2), torch.randn(3, 2, 5, 2)
    counted = torch.rand(2, 5, 2) < 0.5
    found = gaussian_log_likelihood(values, mean, torch.tensor(-1.2), counted)
    each = torch.distributions.Normal(mean, math.exp(-1.2)).log_prob(values)
    torch.testing.assert_close(found, (each * counted).sum((2, 3)))


def test_the_importance_weighted_bound_is_above_the_elbo_and_rises_with_samples():
    """Of the same samples in larger groups the mean bound is larger, by Jensen's inequality."""
    model = latent_ode()
    with torch.no_grad():
        drawn = model(ragged(), 5_000)
        elbo = -negative_elbo(drawn, 1.0)[0]
        bounds, errors = [], []
        for count in (1, 5, 50):
            groups = zip(drawn.log_likelihood.split(count), drawn.samples.split(count), strict=True)
            found = torch.stack(
                [
                    importance_weighted_bound(drawn._replace(log_likelihood=likelihood, samples=z))
                    for likelihood, z in groups
                ]
            )
            bounds.append(found.mean(0))
            errors.append(found.std(0) / math.sqrt(len(found)))
    # The one has the divergence in closed form, the other an estimate of it.
    assert bool(((bounds[0] - elbo).abs() < 4.4 * errors[0]).all())
    assert bool((bounds[1] > bounds[0]).all())
    assert bool((bounds[2] > bounds[1]).all())


def test_the_rnn_vae_predicts_every_point():
    torch.manual_seed(0)
    config = RnnVaeConfig(name="rnn-vae", hidden=7, encoder="rnn", **SHARED)
    model = RnnVae(config, 2, False, SPEC).double()
    series = ragged()
    found = model(series, 3)
    assert found.mean.shape == (3, 4, 6, 2)
    assert found.log_likelihood.shape == (3, 4)
    negative_elbo(found, 1.0)[0].sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def autoregressive(name, gaps=True):
    torch.manual_seed(0)
    config = AutoregressiveConfig(name=name, hidden=5, gaps=gaps, noise=0.4, learn_noise=True)
    return Autoregressive(config, 2, False, SPEC).double()


@pytest.mark.parametrize("name", ["rnn", "rnn-decay", "ode-rnn"])
def test_a_prediction_knows_the_past_alone(name):
    model = autoregressive(name)
    series = ragged()
    found = model(series).mean
    changed = series.values.clone()
    changed[:, 3:] += 5.0
    other = Series(series.times, changed, series.truth, series.known, series.roles)
    again = model(other).mean
    torch.testing.assert_close(found[:, :4], again[:, :4])
    assert not torch.allclose(found[3, 4:], again[3, 4:])
    # Series 0 does not see its point 3, so nothing changes before it sees point 4.
    torch.testing.assert_close(found[0, 4], again[0, 4])


def test_all_at_once_is_one_by_one():
    model = autoregressive("rnn")
    series = ragged().only("observed")
    before = torch.cat((series.times[:, :1], series.times[:, :-1]), dim=1)
    gaps = ((series.times - before) * (series.roles > 0)).unsqueeze(-1)
    at_once, one_by_one = model._all_at_once(series, gaps), model._one_by_one(series, gaps)
    for found, expected in zip(at_once, one_by_one, strict=True):
        torch.testing.assert_close(found[series.roles > 0], expected[series.roles > 0])


def test_ode_rnn_carries_the_state_for_each_series_own_gap():
    model = autoregressive("ode-rnn")
    state = torch.randn(2, 5).double()
    gaps = torch.tensor([[0.5], [2.0]]).double()
    from node_cli.solving import solve

    together = model._between(state, gaps)
    for i in range(2):
        times = torch.tensor([0.0, float(gaps[i])]).double()
        alone = solve(model.field, state[i : i + 1], times, SPEC).values[-1]
        torch.testing.assert_close(together[i], alone[0], atol=1e-6, rtol=0)
