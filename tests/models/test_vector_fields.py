"""The vector fields that families share."""

import torch
from torch import nn

from node_cli.models.augmentation import augmented
from node_cli.models.mlp_field import ELU, MlpField
from node_cli.models.second_order import SecondOrderField


def test_elu_is_torchs():
    x = torch.linspace(-5, 5, 101, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(ELU()(x), nn.ELU()(x))
    torch.testing.assert_close(
        torch.autograd.grad(ELU()(x).sum(), x), torch.autograd.grad(nn.ELU()(x).sum(), x)
    )


def test_a_field_of_time_is_one_of_an_autonomous_state_with_the_time_in_it():
    field = MlpField(2, (8,), time=True)
    y = torch.randn(3, 5, 2)
    t = torch.tensor(0.7)
    wide = torch.cat((y, torch.full((3, 5, 1), 0.7)), dim=-1)
    layers = nn.Sequential(*field)
    torch.testing.assert_close(field(t, y), layers(wide))
    assert not field(t, y).equal(field(2 * t, y))


def test_a_second_order_field_moves_by_its_velocity_and_its_acceleration():
    field = SecondOrderField(lambda t, state: -state[:, :2] + t)
    state = torch.randn(4, 4)
    derivative = field(torch.tensor(0.5), state)
    assert derivative[:, :2].equal(state[:, 2:])
    assert derivative[:, 2:].equal(-state[:, :2] + 0.5)


def test_an_augmented_state_has_zeros_after_its_values():
    images = torch.randn(2, 3, 4, 4)
    wide = augmented(images, 5, dim=1)
    assert wide.shape == (2, 8, 4, 4)
    assert wide[:, :3].equal(images)
    assert not wide[:, 3:].any()
