"""Heads that tell classes of series, and what they may see."""

import pytest
import torch
from torch import Tensor

from node_cli.solving import SolveSpec
from node_cli.tasks.series.autoregressive import Autoregressive
from node_cli.tasks.series.latent_series import LatentOde, RnnVae
from node_cli.tasks.series.observed import ROLES, Series
from node_cli.tasks.series.schema import AutoregressiveConfig, LatentOdeConfig, RnnVaeConfig

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
RECURRENT = ("rnn", "rnn-decay", "ode-rnn")


def model_of(name, classes=4, encoder="gru"):
    torch.manual_seed(0)
    if name in RECURRENT:
        config = AutoregressiveConfig(name=name, hidden=5, gaps=True, noise=0.4, learn_noise=True)
        return Autoregressive(config, 2, True, SPEC, classes).double()
    if name == "rnn-vae":
        config = RnnVaeConfig(name=name, hidden=7, encoder=encoder, **SHARED)
        return RnnVae(config, 2, True, SPEC, classes).double()
    config = LatentOdeConfig(name=name, hidden=(8,), encoder=encoder, poisson=False, **SHARED)
    return LatentOde(config, 2, True, SPEC, classes).double()


def ragged(count=4, points=6):
    """Series of other times and lengths, with missing values and points that are not shown."""
    generator = torch.Generator().manual_seed(0)
    times = (0.1 + torch.rand(count, points, generator=generator).double()).cumsum(1)
    values = torch.randn(count, points, 2, generator=generator).double()
    roles = torch.full((count, points), ROLES["observed"])
    roles[0, 3] = ROLES["unseen"]
    roles[1, 4:] = 0
    roles[2, 4:] = ROLES["forward"]
    roles[3, 2:] = 0
    there = roles > 0
    known = there.unsqueeze(-1).expand(-1, -1, 2).clone()
    known[1, 2, 0] = False
    known[0, 5] = False  # nothing is known of its last point
    values = values * known
    return Series(times * there, values, values.clone(), known, roles, torch.arange(count))


def logits_of(model, series) -> Tensor:
    """Without the noise of z(0)."""
    if isinstance(model, Autoregressive):
        return model(series).logits
    return model.head(model.encoder(series).mean)


@pytest.mark.parametrize("name", [*RECURRENT, "rnn-vae", "latent-ode"])
def test_an_answer_is_of_its_own_series_alone(name):
    model = model_of(name)
    series = ragged().only("observed")
    together = logits_of(model, series)
    assert together.shape == (4, 4)
    for i in range(4):
        length = int((series.roles[i] > 0).sum())
        one = Series(*(part[i : i + 1, :length] for part in (
            series.times, series.values, series.truth, series.known, series.roles)),
            series.labels[i : i + 1],
        )  # fmt: skip
        torch.testing.assert_close(logits_of(model, one)[0], together[i])


@pytest.mark.parametrize("name", [*RECURRENT, "latent-ode"])
def test_what_is_not_shown_does_not_change_an_answer(name):
    model, series = model_of(name), ragged()
    hidden = (series.roles != ROLES["observed"]).unsqueeze(-1)
    other = Series(
        series.times,
        series.values + 9.0 * hidden,
        series.truth,
        series.known,
        series.roles,
        series.labels,
    )
    torch.testing.assert_close(logits_of(model, other), logits_of(model, series))


@pytest.mark.parametrize("name", [*RECURRENT, "rnn-vae", "latent-ode"])
def test_the_answer_depends_on_the_values_and_teaches_the_weights(name):
    model, series = model_of(name), ragged()
    series.values.requires_grad_()
    logits_of(model, series).square().sum().backward()
    seen = series.values.grad[series.observed].abs()
    assert bool((seen > 0).all())
    assert all(p.grad is not None for p in model.head.parameters())


def test_a_series_without_a_shown_point_has_an_answer_without_values():
    series = ragged()
    roles = series.roles.clone()
    roles[3] = ROLES["forward"] * (roles[3] > 0)
    empty = Series(series.times, series.values, series.truth, series.known, roles, series.labels)
    for name in (*RECURRENT, "latent-ode"):
        assert bool(logits_of(model_of(name), empty).isfinite().all())


@pytest.mark.parametrize("name", ["ode-rnn", "latent-ode"])
def test_without_classes_a_model_is_what_it_was(name):
    plain, headed = model_of(name, classes=0), model_of(name)
    assert plain.head is None
    assert {key for key in headed.state_dict() if not key.startswith("head.")} == set(
        plain.state_dict()
    )
    found = plain(ragged())
    assert found.logits is None
