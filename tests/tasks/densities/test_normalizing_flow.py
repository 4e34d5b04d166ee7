import math

import pytest
import torch
from torch.autograd.functional import jacobian

from node_cli.schema.trace import TraceConfig
from node_cli.solving import SolveSpec
from node_cli.tasks.densities.flow_dynamics import draw_noise
from node_cli.tasks.densities.moving_batch_norm import MovingBatchNorm
from node_cli.tasks.densities.normalizing_flow import NormalizingFlow, covariance_matrix
from node_cli.tasks.densities.schema import HypernetworkConfig, LayeredFlowConfig

TIGHT = SolveSpec(rtol=1e-9, atol=1e-9)
PENALTIES = (
    "kinetic_energy",
    "jacobian_norm",
    "directional_derivative",
    "jacobian_diagonal",
    "jacobian_off_diagonal",
)


def shared(**changes):
    settings = {
        "flows": 1,
        "T": 1.0,
        "learn_time": False,
        "reverse": False,
        "batch_norm": False,
        "base_covariance": 0.7,
    }
    return {**settings, **changes}


def hypernetwork(**changes):
    return HypernetworkConfig(name="hypernetwork", width=8, hidden=6, **shared(**changes))


def layered(name="concat-squash", hidden=(8, 8), spectral_norm=False, **changes):
    return LayeredFlowConfig(
        name=name,
        hidden=hidden,
        activation="tanh",
        spectral_norm=spectral_norm,
        **shared(**changes),
    )


def trace(name="exact", noise="rademacher", evaluation="exact"):
    return TraceConfig(name=name, noise=noise, evaluation=evaluation)


def flow(config, dimensions=2, traced=None, penalties=(), spec=TIGHT, seed=0):
    """A flow in double precision whose field is far from zero."""
    torch.manual_seed(seed)
    made = NormalizingFlow(config, dimensions, spec, traced or trace(), penalties).double()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim:
                parameter.mul_(2.0).add_(0.2 * torch.randn_like(parameter))
    return made


def points(count=6, dimensions=2, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimensions, generator=generator, dtype=torch.float64)


FLOWS = {
    "hypernetwork": hypernetwork(),
    "T=2": hypernetwork(T=2.0),
    "learned T": hypernetwork(T=1.5, learn_time=True),
    "reverse": layered(reverse=True),
    "learned T, reverse": layered(T=0.5, learn_time=True, reverse=True),
    "concat": layered("concat"),
    "concat-coeff, spectral": layered("concat-coeff", spectral_norm=True),
    "a stack": layered(flows=3),
    "a stack with normalisation": hypernetwork(flows=2, batch_norm=True),
    "a full covariance": hypernetwork(base_covariance=((1.0, 0.3), (0.3, 0.5))),
}


@pytest.mark.parametrize("name", FLOWS)
def test_the_log_density_is_that_of_the_change_of_variables(name):
    """With the Jacobian of the whole map by torch, point by point."""
    made = flow(FLOWS[name])
    made.standardise(torch.tensor([0.3, -1.0]), torch.tensor([2.0, 0.5]))
    made.train()
    made(points(50))  # statistics of the normalisation, if there is one
    made.eval()
    x = points(3)
    found = made(x).log_density
    covariance = covariance_matrix(FLOWS[name].base_covariance, 2)
    base = torch.distributions.MultivariateNormal(torch.zeros(2).double(), covariance)
    for point, log_density in zip(x, found, strict=True):
        whole = jacobian(lambda x: made(x.unsqueeze(0)).base[0], point)
        truth = base.log_prob(made(point.unsqueeze(0)).base[0]) + torch.logdet(
            whole if torch.linalg.det(whole) > 0 else -whole
        )
        assert log_density.item() == pytest.approx(truth.item(), abs=1e-6)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_inverted(name):
    made = flow(FLOWS[name])
    made.standardise(torch.tensor([0.3, -1.0]), torch.tensor([2.0, 0.5]))
    made.train()
    made(points(50))
    made.eval()
    x = points()
    torch.testing.assert_close(made.inverse(made(x).base), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("adjoint", ["direct", "full", "seminorm", "checkpointed"])
@pytest.mark.parametrize(
    "config",
    [FLOWS["hypernetwork"], FLOWS["learned T, reverse"], layered(flows=2, hidden=(6,))],
    ids=["hypernetwork", "learned T, reverse", "a stack"],
)
def test_gradients_of_the_likelihood_are_right(config, adjoint):
    """Against finite differences, for the points and for every parameter."""
    spec = SolveSpec(rtol=1e-10, atol=1e-10, adjoint=adjoint)
    made = flow(config, spec=spec)
    inputs = (points(2).requires_grad_(), *made.parameters())
    assert torch.autograd.gradcheck(
        lambda x, *_: made(x).log_density.sum(),
        inputs,
        atol=1e-5,
        rtol=1e-4,
        nondet_tol=1e-7,
        fast_mode=True,  # along random directions: the whole Jacobian takes minutes
    )


@pytest.mark.parametrize("config", [hypernetwork(), layered("concat", hidden=(8,))])
def test_closed_form_and_exact_trace_give_one_likelihood(config):
    by_form = flow(config, traced=trace("closed-form"))
    by_dimension = flow(config, traced=trace("exact"))
    by_dimension.load_state_dict(by_form.state_dict())
    x = points()
    torch.testing.assert_close(by_form(x).log_density, by_dimension(x).log_density)


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_hutchinsons_estimate_is_unbiased(noise):
    """Of 20,000 estimates for one point the mean is within 4.4 standard errors of the truth.

    By chance alone an unbiased estimator fails this once in 100,000 times; the seed is fixed.
    """
    config = layered("concat", hidden=(6, 6))
    made = flow(
        config,
        dimensions=4,
        traced=trace("hutchinson", noise),
        spec=SolveSpec(method="rk4", num_steps=8),
    )
    x = points(1, 4)
    truth = float(made.eval()(x).log_density)
    torch.manual_seed(5)
    estimates = made.train()(x.expand(20_000, 4)).log_density.detach()
    error = float(estimates.mean()) - truth
    spread = float(estimates.std())
    assert spread > 1e-2  # else nothing would be tested
    assert abs(error) < 4.4 * spread / math.sqrt(20_000)


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_noise_has_mean_zero_and_covariance_one(noise):
    torch.manual_seed(0)
    drawn = draw_noise(noise, torch.empty(100_000, 3, dtype=torch.float64))
    assert drawn.dtype == torch.float64
    torch.testing.assert_close(drawn.mean(0), torch.zeros(3).double(), atol=0.015, rtol=0)
    torch.testing.assert_close(drawn.t().cov(), torch.eye(3).double(), atol=0.03, rtol=0)


def test_noise_is_drawn_once_for_a_solve():
    """Solved with other steps, one noise gives one integral."""
    config = layered("concat", hidden=(6, 6))
    found = []
    for spec in (TIGHT, SolveSpec(method="dopri8", rtol=1e-10, atol=1e-10)):
        made = flow(config, traced=trace("hutchinson"), spec=spec).train()
        torch.manual_seed(9)
        found.append(made(points()).log_density)
        torch.manual_seed(10)
        assert not torch.allclose(made(points()).log_density, found[-1], atol=1e-4)
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("traced", ["exact", "hutchinson"])
@pytest.mark.parametrize("config", [layered(T=1.5), layered(T=1.5, reverse=True, learn_time=True)])
def test_penalties_are_the_integrals_of_their_definitions(config, traced):
    """By Simpson's rule along the same path, with Jacobians by torch."""
    made = flow(config, traced=trace(traced), penalties=PENALTIES).train()
    x = points(3)
    torch.manual_seed(4)
    found = made(x).penalties
    torch.manual_seed(4)
    noise = draw_noise("rademacher", x)
    (layer,) = made.layers
    count = 101
    places = torch.linspace(1, 0, count).double()
    with torch.no_grad():
        made.eval()
        path = layer.carry(x, tuple(places.tolist()), traced=False).points
    truth = dict.fromkeys(PENALTIES, torch.zeros(3).double())
    for number, (place, z) in enumerate(zip(places, path, strict=True)):
        t = 1.5 * (1 - place if config.reverse else place)
        weight = 1 if number in (0, count - 1) else 4 if number % 2 else 2
        weight = weight * 1.5 / (3 * (count - 1))
        with torch.no_grad():
            f = layer.field(t, z)
            J = torch.stack(
                [jacobian(lambda y, t=t: layer.field(t, y.unsqueeze(0))[0], p) for p in z]
            )
        diagonal = J.diagonal(dim1=1, dim2=2)
        norm = J.square().sum((1, 2))
        estimated = torch.einsum("nij,nj->ni", J, noise).square().sum(1)
        integrands = {
            "kinetic_energy": f.square().sum(1),
            "jacobian_norm": estimated if traced == "hutchinson" else norm,
            "directional_derivative": torch.einsum("nij,nj->ni", J, f).square().sum(1),
            "jacobian_diagonal": diagonal.square().sum(1),
            "jacobian_off_diagonal": norm - diagonal.square().sum(1),
        }
        for name in PENALTIES:
            truth[name] = truth[name] + weight * integrands[name]
    assert set(found) == set(PENALTIES)
    for name in PENALTIES:
        torch.testing.assert_close(found[name].detach(), truth[name], rtol=1e-5, atol=1e-7)


def test_penalties_cost_nothing_in_evaluation():
    made = flow(hypernetwork(), penalties=("kinetic_energy",))
    assert made.train()(points()).penalties.keys() == {"kinetic_energy"}
    assert not made.eval()(points()).penalties


def test_samples_have_the_density_of_the_model():
    """The share of samples in each cell of a grid, against the density's integral over it."""
    made = flow(hypernetwork(), spec=SolveSpec(rtol=1e-6, atol=1e-6)).float().eval()
    count, cells, fine = 40_000, 6, 20
    with torch.no_grad():
        samples = made.sample(count, torch.Generator().manual_seed(0))
        low, high = samples.min() - 0.5, samples.max() + 0.5
        side = (torch.arange(cells * fine) + 0.5) / (cells * fine) * (high - low) + low
        y, x = torch.meshgrid(side, side, indexing="ij")
        grid = torch.stack((x, y), dim=2).reshape(-1, 2)
        density = made(grid).log_density.exp().reshape(cells, fine, cells, fine)
    mass = density.sum((1, 3)) * ((high - low) / (cells * fine)) ** 2
    assert float(mass.sum()) == pytest.approx(1, abs=0.01)
    column, row = (((samples - low) / (high - low)) * cells).long().unbind(1)
    seen = torch.bincount(row * cells + column, minlength=cells**2).reshape(cells, cells) / count
    error = (mass * (1 - mass) / count).sqrt()
    assert bool(((seen - mass).abs() < 5 * error + 2e-4).all())


def test_batch_normalisation_follows_the_batches_and_is_inverted():
    layer = MovingBatchNorm(2, momentum=0.5).double()
    first, second = points(100) * 3 + 1, points(100, seed=4)
    y, log_det = layer(first)
    torch.testing.assert_close(y.mean(0), torch.zeros(2).double())
    torch.testing.assert_close(y.var(0, correction=0), torch.ones(2).double(), rtol=1e-4, atol=0)
    assert float(log_det) == pytest.approx(
        -float((first.var(0, correction=0) + 1e-4).log().sum()) / 2
    )
    layer(second)
    torch.testing.assert_close(layer.running_mean, (first.mean(0) + second.mean(0)) / 2)
    layer.eval()
    with torch.no_grad():
        layer.log_scale.add_(0.3)
        layer.shift.add_(-1)
    kept = layer.running_mean.clone()
    torch.testing.assert_close(layer.inverse(layer(second)[0]), second)
    assert torch.equal(layer.running_mean, kept)


def test_paths_go_from_the_base_to_the_data():
    made = flow(hypernetwork(flows=2, batch_norm=True)).eval()
    made.standardise(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    z = points(4)
    paths = made.paths(z, 5)
    assert paths.shape == (9, 4, 2)
    torch.testing.assert_close(paths[-1], made.inverse(z))


def test_the_density_along_the_way_starts_at_the_base_and_ends_at_the_data():
    made = flow(hypernetwork(flows=2)).eval()
    made.standardise(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    x = points(4)
    u = (x - made.shift) / made.scale
    torch.testing.assert_close(
        made.density_along(x, 0.0), made.base_log_density(u) - made.scale.log().sum()
    )
    torch.testing.assert_close(made.density_along(x, 2.0), made(x).log_density)
    between = made.density_along(x, 1.0)
    half = made.layers[1](u)  # the flow at the base
    truth = made.base_log_density(half.points) + half.log_det - made.scale.log().sum()
    torch.testing.assert_close(between, truth)


@pytest.mark.parametrize(
    ("given", "truth"),
    [
        (0.1, [[0.1, 0.0], [0.0, 0.1]]),
        ((0.1, 2.0), [[0.1, 0.0], [0.0, 2.0]]),
        (((1.0, 0.2), (0.2, 0.5)), [[1.0, 0.2], [0.2, 0.5]]),
    ],
)
def test_the_base_has_the_covariance_asked_for(given, truth):
    torch.testing.assert_close(covariance_matrix(given, 2), torch.tensor(truth).double())
    made = flow(hypernetwork(base_covariance=given))
    drawn = made.draw_base(100_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.t().cov(), torch.tensor(truth).double(), atol=0.03, rtol=0.03)


def test_a_base_for_other_data_is_refused():
    with pytest.raises(ValueError, match="3 dimensions, and the data have 2"):
        covariance_matrix((1.0, 1.0, 1.0), 2)


def test_the_names_of_the_columns_go_with_the_weights():
    made = flow(hypernetwork())
    made.columns = ["height", "weight"]
    other = flow(hypernetwork(), seed=1)
    other.load_state_dict(made.state_dict())
    assert other.columns == ["height", "weight"]
