import pytest
import torch
from torch import nn
from torch.nn import functional

from node_cli.models.ode_solve import ODEBlock
from node_cli.solving import SolveSpec, solve
from node_cli.tasks.images.classifier import ImageClassifier
from node_cli.tasks.images.euler_block import EulerBlock
from node_cli.tasks.images.field import ImageField
from node_cli.tasks.images.larger_state import SecondOrderBlock
from node_cli.tasks.images.normalization import group_norm
from node_cli.tasks.images.schema import (
    EulerNetConfig,
    OdeNetConfig,
    ResNetConfig,
    SonodeConfig,
)
from node_cli.tasks.images.time_conv import TimeConv2d


def odenet(**changes):
    return OdeNetConfig(
        **{
            "name": "odenet",
            "stem": "conv",
            "channels": 64,
            "T": 1.0,
            "learn_time": False,
            **changes,
        }
    )


def sonode(**changes):
    plain = odenet().model_dump(exclude={"augment_dim"})
    return SonodeConfig(**plain | {"name": "sonode", "velocity": "learned"} | changes)


def resnet(**changes):
    return ResNetConfig(
        **{"name": "resnet", "stem": "conv", "channels": 64, "blocks": 6, **changes}
    )


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_parameter_counts_are_those_of_the_torchdiffeq_example():
    assert parameters(ImageClassifier(odenet(), SolveSpec())) == 208_266
    assert parameters(ImageClassifier(resnet(), SolveSpec())) == 576_778


def test_a_tied_euler_net_has_the_parameters_of_the_ode_net():
    config = EulerNetConfig(name="euler-net", stem="conv", channels=64, T=1.0, blocks=6, tied=True)
    assert parameters(ImageClassifier(config, SolveSpec())) == 208_266


@pytest.mark.parametrize("stem", ["conv", "residual"])
@pytest.mark.parametrize("config", [odenet, resnet])
def test_both_stems_give_logits_and_gradients_everywhere(config, stem):
    model = ImageClassifier(config(stem=stem, channels=8), SolveSpec(rtol=1e-2, atol=1e-2))
    logits = model(torch.rand(3, 1, 28, 28))
    assert logits.shape == (3, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_time_convolution_equals_the_convolution_with_a_time_channel():
    torch.manual_seed(0)
    layer = TimeConv2d(5).double()
    x, t = torch.randn(2, 5, 6, 7, dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64)
    with_time = torch.cat([torch.full_like(x[:, :1], 0.7), x], dim=1)
    expected = functional.conv2d(with_time, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(t, x), expected)


def field_and_state():
    torch.manual_seed(0)
    return ImageField(8).double(), torch.randn(2, 8, 6, 6, dtype=torch.float64)


def test_an_euler_step_of_size_one_is_a_residual_block():
    field, y = field_and_state()
    block = EulerBlock(lambda: field, blocks=1, end_time=1.0, tied=True)
    torch.testing.assert_close(block(y), y + field(torch.tensor(0.0), y))


def test_a_tied_euler_net_is_the_ode_net_solved_with_euler():
    field, y = field_and_state()
    block = EulerBlock(lambda: field, blocks=7, end_time=1.0, tied=True)
    spec = SolveSpec(method="euler", num_steps=7)
    torch.testing.assert_close(block(y), ODEBlock(field, spec)(y))


def test_more_euler_blocks_approach_the_ode_net_at_first_order():
    field, y = field_and_state()
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    truth = solve(field, y, t, SolveSpec(rtol=1e-9, atol=1e-10)).values[-1]
    errors = []
    with torch.no_grad():
        for blocks in (64, 128, 256):
            block = EulerBlock(lambda: field, blocks, end_time=1.0, tied=True)
            errors.append((block(y) - truth).norm().item())
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.1)


def test_untied_euler_blocks_have_fields_of_their_own():
    block = EulerBlock(lambda: ImageField(8), blocks=3, end_time=1.0, tied=False)
    assert len(block.fields) == 3
    assert parameters(block) == 3 * parameters(ImageField(8))


@pytest.mark.parametrize("adjoint", ["direct", "full", "seminorm"])
def test_the_learned_end_time_gets_the_true_gradient(adjoint):
    class Decay(nn.Module):
        def forward(self, t, y):
            return -y

    spec = SolveSpec(rtol=1e-9, atol=1e-11, adjoint=adjoint)
    block = ODEBlock(Decay(), spec, end_time=2.0, learn_time=True).double()
    y = torch.ones(1, dtype=torch.float64)
    out = block(y)
    torch.testing.assert_close(out, torch.exp(torch.tensor([-2.0])).double(), rtol=1e-7, atol=1e-9)
    out.sum().backward()
    # d/d(log T) exp(-T) = -T exp(-T)
    expected = -2.0 * torch.exp(torch.tensor(-2.0)).double()
    torch.testing.assert_close(block.solve.log_time.grad, expected, rtol=1e-6, atol=1e-8)


def test_a_learned_end_time_of_one_starts_as_the_fixed_one():
    field, y = field_and_state()
    spec = SolveSpec(method="rk4", step_size=0.5)
    fixed = ODEBlock(field, spec, end_time=2.0).double()
    learned = ODEBlock(field, spec, end_time=2.0, learn_time=True).double()
    torch.testing.assert_close(fixed(y), learned(y), rtol=1e-6, atol=1e-7)
    assert learned.solve.end_time == pytest.approx(2.0)
    assert fixed.solve.end_time == 2.0


def test_groups_divide_the_channels_evenly():
    groups = {channels: group_norm(channels).num_groups for channels in (4, 32, 64, 69, 67, 96)}
    assert groups == {4: 4, 32: 32, 64: 32, 69: 23, 67: 1, 96: 32}


@pytest.mark.parametrize("config", [odenet(augment_dim=5), sonode(), sonode(velocity="zero")])
def test_larger_states_give_logits_and_gradients_everywhere(config):
    small = config.model_copy(update={"channels": 8})
    model = ImageClassifier(small, SolveSpec("rk4", num_steps=1))
    logits = model(torch.rand(3, 1, 28, 28))
    assert logits.shape == (3, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_parameters_of_larger_states():
    plain, conv = parameters(ImageClassifier(odenet(), SolveSpec())), 64 * 9
    added = parameters(ImageClassifier(odenet(augment_dim=5), SolveSpec())) - plain
    # Two convolutions of 70 to 69 channels for 65 to 64, four norms, the head.
    assert added == 2 * (9 * (70 * 69 - 65 * 64) + 5) + 4 * 2 * 5 + 10 * 5
    still = parameters(ImageClassifier(sonode(velocity="zero"), SolveSpec()))
    assert still - plain == 64 * conv + 2 * 64  # the first convolution reads velocities too
    learned = parameters(ImageClassifier(sonode(), SolveSpec()))
    assert learned - still == 64 * conv + 64 + 2 * 64


class Gravity(nn.Module):
    def forward(self, t, state):
        return torch.full_like(state[:, :3], -1.0)


@pytest.mark.parametrize("velocity", ["zero", "learned"])
def test_constant_acceleration_moves_an_image_along_a_parabola(velocity):
    block = SecondOrderBlock(
        sonode(channels=3, T=2.0, velocity=velocity), SolveSpec("rk4", num_steps=1)
    )
    block.block.field.acceleration = Gravity()
    y = torch.randn(2, 3, 5, 5)
    start = torch.zeros_like(y) if block.velocity is None else block.velocity(y)
    torch.testing.assert_close(block(y), y + 2 * start - 2.0)
