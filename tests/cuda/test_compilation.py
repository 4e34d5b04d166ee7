"""Compiled steps on a GPU are the steps as they are."""

from dataclasses import replace

import pytest
import torch
from solving.problems import Network
from torch import nn

from node_cli.solving import SolveSpec, compilation, solve

pytestmark = pytest.mark.cuda

T = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)


@pytest.fixture(autouse=True)
def _nothing_is_refused_yet(monkeypatch):
    monkeypatch.setattr(compilation.done, "refused", {})


def solved(field, spec):
    y0 = torch.linspace(-1, 1, 64, dtype=torch.float64, device="cuda").view(32, 2)
    y0.requires_grad_()
    solution = solve(field, y0, T, spec)
    gradients = torch.autograd.grad(solution.values.square().sum(), (y0, *field.parameters()))
    return (solution.values.detach(), *gradients), solution.stats


@pytest.mark.parametrize("mode", ["direct", "checkpointed", "full", "seminorm"])
@pytest.mark.parametrize("method", ["dopri5", "rk4"])
def test_values_gradients_and_counts(method, mode):
    field = Network().to("cuda")
    fixed = {"num_steps": 10} if method == "rk4" else {}
    spec = SolveSpec(method=method, rtol=1e-6, atol=1e-7, adjoint=mode, **fixed)
    plain, of_plain = solved(field, spec)
    before = compilation.done.count
    for _ in range(3):
        fast, of_fast = solved(field, replace(spec, compile="step"))
        for a, b in zip(plain, fast, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)
        assert of_fast == of_plain
    assert compilation.done.count > before
    assert compilation.done.refused == {}


class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2).double()

    def forward(self, t, y):
        return nn.functional.dropout(self.inner(y), 0.5)


def test_a_field_that_draws_on_the_gpu_is_not_compiled():
    """Its gradient would draw other numbers."""
    field = Dropping().to("cuda")
    spec = SolveSpec(method="rk4", num_steps=4)
    found = []
    for compiled in ("off", "step"):
        torch.manual_seed(0)
        found.append(solved(field, replace(spec, compile=compiled))[0])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
    (why,) = compilation.done.refused.values()
    assert "random numbers" in why
