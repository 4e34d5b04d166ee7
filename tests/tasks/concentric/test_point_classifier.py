import pytest
import torch

from node_cli.models.ode_solve import ODEBlock
from node_cli.schema.vector_field import AugmentedConfig, MlpFieldConfig
from node_cli.solving import SolveSpec
from node_cli.tasks.concentric.model import PointClassifier, ResidualBlocks
from node_cli.tasks.concentric.schema import MlpResNetConfig, SecondOrderOfPointsConfig

TIGHT = SolveSpec(rtol=1e-9, atol=1e-11)
FIELD = {"hidden": (16,), "activation": "tanh", "time": False}


def classifier(name, dimensions=2, spec=TIGHT, **changes):
    torch.manual_seed(0)
    config = {
        "mlp-field": lambda: MlpFieldConfig(name=name, **FIELD | changes),
        "augmented": lambda: AugmentedConfig(name=name, **FIELD | {"augment_dim": 2} | changes),
        "second-order": lambda: SecondOrderOfPointsConfig(
            name=name, **FIELD | {"velocity": "learned"} | changes
        ),
        "mlp-resnet": lambda: MlpResNetConfig(
            name=name, hidden=(16,), activation="tanh", **{"blocks": 3} | changes
        ),
    }[name]()
    return PointClassifier(config, dimensions, spec).double()


@pytest.mark.parametrize(
    ("name", "changes", "state", "read"),
    [
        ("mlp-field", {}, 3, 3),
        ("mlp-field", {"time": True}, 3, 3),
        ("augmented", {}, 5, 5),
        ("second-order", {}, 6, 3),
        ("second-order", {"velocity": "zero"}, 6, 3),
        ("mlp-resnet", {}, 3, 3),
    ],
)
def test_states_answers_and_gradients(name, changes, state, read):
    model = classifier(name, dimensions=3, **changes)
    x = torch.randn(7, 3, dtype=torch.float64)
    assert model.start(x).shape == (7, state)
    assert torch.equal(model.start(x)[:, :3], x)
    assert model.head.in_features == read
    answers = model(x)
    assert answers.shape == (7,)
    times, states = model.paths(x, 4)
    assert states.shape == (len(times), 7, state)
    assert torch.equal(states[0], model.start(x))
    at_the_end = model.head(states[-1][:, :read]).squeeze(-1)
    torch.testing.assert_close(at_the_end, answers, rtol=1e-6, atol=1e-8)
    answers.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(("steps", "places"), [(2, 3), (8, 9), (40, 9)])
def test_paths_take_the_steps_of_the_model(steps, places):
    model = classifier("mlp-field", spec=SolveSpec("euler", num_steps=steps))
    x = torch.randn(7, 2, dtype=torch.float64)
    times, states = model.paths(x, 9)
    assert len(times) == len(states) == places
    if steps < 9:
        torch.testing.assert_close(states[-1], model.depth(x))


def test_added_values_start_at_zero():
    x = torch.randn(4, 2, dtype=torch.float64)
    assert not classifier("augmented").start(x)[:, 2:].any()
    assert not classifier("second-order", velocity="zero").start(x)[:, 2:].any()
    assert classifier("second-order").start(x)[:, 2:].abs().min() > 0


def test_on_a_line_no_flow_changes_the_order_of_points():
    """Dupont et al. 2019, proposition 1; residual blocks can, and second-order flows."""
    x = torch.linspace(-1.5, 1.5, 50, dtype=torch.float64).unsqueeze(1)
    for changes in ({}, {"time": True}):
        model = classifier("mlp-field", dimensions=1, **changes)
        for weight in model.depth.parameters():  # far from the identity
            weight.data *= 4
        assert (model.paths(x, 9)[1].diff(dim=1) > 0).all()
    residual = classifier("mlp-resnet", dimensions=1, blocks=1)
    for weight in residual.depth.parameters():
        weight.data *= 8
    assert not residual.paths(x, 2)[1][-1].diff(dim=0).gt(0).all()
    second = classifier("second-order", dimensions=1)
    second.lift.velocity = torch.nn.Linear(1, 1, bias=False).double()
    second.lift.velocity.weight.data.fill_(-3.0)
    assert not second.paths(x, 2)[1][-1][:, :1].diff(dim=0).gt(0).all()


class Gravity(torch.nn.Module):
    def forward(self, t, state):
        return torch.full_like(state[:, :2], 3.0)


def test_constant_acceleration_gives_a_parabola():
    model = classifier("second-order")
    assert isinstance(model.depth, ODEBlock)
    model.depth.field.acceleration = Gravity()
    x = torch.randn(5, 2, dtype=torch.float64)
    _, velocity = model.start(x).chunk(2, dim=1)
    torch.testing.assert_close(model.paths(x, 2)[1][-1][:, :2], x + velocity + 1.5)


def test_residual_blocks_add_up():
    blocks = ResidualBlocks(2, (8,), "relu", 3).double()
    y = torch.randn(4, 2, dtype=torch.float64)
    expected = y
    for block in blocks.blocks:
        expected = expected + block(expected)
    torch.testing.assert_close(blocks(y), expected)
