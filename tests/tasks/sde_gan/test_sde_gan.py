"""Generator, discriminator, and what trains both at once."""

import pytest
import torch

pytest.importorskip("torchsde")

from node_cli.solving import record_solves, total
from node_cli.solving.sde import SdeSpec
from node_cli.tasks.sde_gan.schema import SdeGanConfig
from node_cli.tasks.sde_gan.sde_gan import SdeGan

POINTS, BATCH = 6, 8


@pytest.fixture
def model():
    config = SdeGanConfig(
        name="sde-gan", state=4, hidden=5, noise=2, start_noise=3, penalty=10.0, average=0.9,
        discriminator_rate=3.0,
    )  # fmt: skip
    torch.manual_seed(0)
    spec = SdeSpec("stratonovich-reversible_heun", step_size=1.0)
    return SdeGan(config, POINTS, spec).double()


@pytest.fixture
def data():
    stream = torch.Generator().manual_seed(1)
    return torch.randn(BATCH, POINTS, dtype=torch.float64, generator=stream).cumsum(dim=1)


def grads(module):
    return [parameter.grad.clone() for parameter in module.parameters()]


def test_paths_are_a_function_of_the_seed(model):
    found = model.generator(BATCH, seed=3)
    assert found.shape == (BATCH, POINTS)
    assert torch.equal(found, model.generator(BATCH, seed=3))
    assert not torch.equal(found, model.generator(BATCH, seed=4))


def test_one_backward_pass_is_a_step_down_for_one_and_up_for_the_other(model, data):
    model.losses(data, seed=5).apart.backward()
    generator, discriminator = grads(model.generator), grads(model.discriminator)
    model.zero_grad()
    generated = model.generator(BATCH, seed=5)
    apart = model.discriminator(generated).mean() - model.discriminator(data).mean()
    apart.backward()
    torch.testing.assert_close(grads(model.discriminator), discriminator)
    torch.testing.assert_close([-grad for grad in grads(model.generator)], generator)
    assert all(parameter.grad is None for parameter in model.averaged.parameters())


def test_the_penalty_reaches_the_discriminator_alone(model, data):
    found = model.losses(data, seed=5)
    model.zero_grad()
    found.penalty.backward()
    assert all(parameter.grad is None for parameter in model.generator.parameters())
    fields = list(model.discriminator.to_diffusion.parameters())
    assert all(float(parameter.grad.abs().sum()) > 0 for parameter in fields)
    # By finite differences of a single weight.
    weight = fields[0]
    found_slope = float(weight.grad[0, 1])
    values = []
    for change in (1e-5, -1e-5):
        with torch.no_grad():
            weight[0, 1] += change
        values.append(model.losses(data, seed=5).penalty.item())
        with torch.no_grad():
            weight[0, 1] -= change
    assert found_slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)


def test_the_penalty_is_of_the_slope_by_the_points_of_a_path(model, data):
    """A discriminator that is 3 times the last value has a slope of 3 everywhere."""

    class Last(torch.nn.Module):
        def forward(self, paths):
            return 3 * paths[:, -1]

    model.discriminator = Last()
    assert float(model.losses(data, seed=5).penalty) == pytest.approx(4.0)


def test_the_average_follows_the_weights(model, data):
    first = [p.detach().clone() for p in model.generator.parameters()]
    model.losses(data, seed=0)
    for average, start in zip(model.averaged.parameters(), first, strict=True):
        assert torch.equal(average, start)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter += 1.0
    model.losses(data, seed=0)  # one value so far: 2/11 of it is kept
    for average, start in zip(model.averaged.parameters(), first, strict=True):
        torch.testing.assert_close(average, start + 9 / 11)
    assert "averaged.n_averaged" in model.state_dict()


def test_evaluations_of_both_are_counted(model, data):
    with record_solves() as solves:
        model.losses(data, seed=0)
    # Generator, discriminator, and the discriminator again for the penalty: a reversible Heun step
    # each between two points, and one evaluation more at the start.
    assert (
        total(solves).scalars["nfe/drift"] == total(solves).scalars["nfe/diffusion"] == 3 * POINTS
    )
