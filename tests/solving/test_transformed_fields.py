"""Vector fields that are themselves made by derivatives."""

import pytest
import torch
from torch import nn
from torch.func import grad, jacfwd, vmap

from node_cli.memory import SavedBytes
from node_cli.solving import SolveSpec, solve
from node_cli.solving.field_result import FieldError


class Energy(nn.Module):
    """The gradient of a network, by one way or another."""

    def __init__(self, way):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
        self.way = way

    def forward(self, t, y):
        if self.way == "autograd":
            with torch.enable_grad():
                y = y if y.requires_grad else y.detach().requires_grad_()
                return torch.autograd.grad(self.net(y).sum(), y, create_graph=True)[0]
        transform = {"jacfwd": jacfwd, "grad": grad}[self.way]
        return vmap(transform(lambda one: self.net(one).squeeze(-1)))(y)


def gradient_of(way, adjoint, count):
    torch.manual_seed(0)
    field = Energy(way)
    spec = SolveSpec("dopri5", 1e-9, 1e-9, adjoint=adjoint, max_saved_bytes=count)
    y0, times = torch.randn(5, 2, dtype=torch.float64), torch.tensor([0.0, 1.0])
    with SavedBytes(field).measure():
        values = solve(field, y0, times.double(), spec).values
    values[-1].square().sum().backward()
    return field.net[0].weight.grad


@pytest.mark.parametrize("adjoint", ["direct", "checkpointed", "full", "seminorm"])
@pytest.mark.parametrize("count", [None, 10**9], ids=["uncounted", "counted"])
def test_a_field_may_be_a_gradient(adjoint, count):
    by_autograd = gradient_of("autograd", adjoint, count)
    by_torch_func = gradient_of("jacfwd", adjoint, count)
    torch.testing.assert_close(by_torch_func, by_autograd)


def test_transforms_that_torch_does_not_allow_there_are_told():
    with pytest.raises(FieldError, match=r"line \d+: the vector field uses torch.func.grad"):
        gradient_of("grad", "direct", None)
