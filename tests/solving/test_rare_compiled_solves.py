"""Compiled solves of rarer kinds agree with those that are not compiled."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from node_cli.errors import SolverError
from node_cli.solving import SolveSpec, compilation, solve
from node_cli.solving.spec import BackwardSpec

pytestmark = pytest.mark.usefixtures("traced_only")

MODES = ["direct", "checkpointed", "full", "seminorm"]
TWO = torch.tensor([0.0, 1.0], dtype=torch.float64)
MANY = torch.linspace(0.0, 2.0, 40, dtype=torch.float64)


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(2, 4).double(), nn.Linear(4, 2).double()

    def forward(self, t, y):
        return self.outer(torch.tanh(self.inner(y)) + torch.sin(t))


def start(points=5):
    return torch.linspace(-1.0, 1.0, 2 * points, dtype=torch.float64).reshape(points, 2)


def test_the_norm_of_a_backward_pass_is_that_which_is_asked_for():
    """Steps given forwards do not depend on it, so that their graphs do not know of it."""
    torch.manual_seed(0)
    inner = nn.Linear(2, 2).double()

    def field(t, y):
        return inner(y[0]), 50 * torch.sin(40 * y[0]).sum(dim=1)

    backward = BackwardSpec("bosh3", 1e-4, 1e-4)
    spec = SolveSpec("rk4", step_size=0.1, adjoint="seminorm", backward=backward)
    found = {}
    for outside in (0, 1):
        for compiled in ("step", "off"):
            state = (start().requires_grad_(), torch.zeros(5, dtype=torch.float64))
            settings = replace(spec, compile=compiled)
            solution = solve(field, state, MANY, settings, inner.parameters(), outside_norm=outside)
            sum(part.sum() for part in solution.values).backward()
            found[compiled, outside] = vars(solution.stats)
        assert found["step", outside] == found["off", outside]
    assert found["step", 0] != found["step", 1]


@pytest.mark.parametrize("mode", ["direct", "checkpointed"])
def test_unused_parameters_have_no_gradient_however_they_lie(mode):
    field = Field()
    field.turned = nn.Parameter(torch.ones(3, 4).t())
    field.convolution = nn.Conv2d(3, 3, 3).to(memory_format=torch.channels_last)
    spec = SolveSpec("bosh3", rtol=1e-3, adjoint=mode, compile="step")
    solve(field, start(), TWO, spec).values.sum().backward()
    assert field.inner.weight.grad is not None
    assert field.turned.grad is None
    assert field.convolution.weight.grad is None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("compiled", ["off", "step"])
def test_a_parameter_that_is_listed_twice_gets_its_gradient_once(mode, compiled):
    field = Field()
    spec = SolveSpec("bosh3", rtol=1e-4, adjoint=mode, compile=compiled)
    once, twice = list(field.parameters()), [*field.parameters(), field.inner.weight]
    found = []
    for parameters in (once, twice):
        values = solve(field, start(), TWO, spec, parameters).values
        found.append(torch.autograd.grad(values.sum(), once))
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-13)


def test_methods_do_not_use_up_what_one_field_may_be_compiled(told):
    given = ["euler", "heun2", "midpoint", "rk4"]
    for method in (*given, "bosh3", "fehlberg2", "adaptive_heun"):
        steps = {"step_size": 0.5} if method in given else {"rtol": 1e-2, "atol": 1e-2}
        for mode in ("direct", "checkpointed"):
            spec = SolveSpec(method, **steps, adjoint=mode, compile="step")
            solve(Field(), start(), TWO, spec).values.sum().backward()
    assert told == []
    assert compilation.done.refused == {}


@pytest.mark.parametrize("mode", ["full", "seminorm"])
def test_parameters_may_be_results_of_other_operations(mode):
    field, gradients = Field(), []
    leaves = {name: p.detach().clone().requires_grad_() for name, p in field.named_parameters()}
    for compiled in ("step", "off"):
        used = {name: leaf * 1.5 for name, leaf in leaves.items()}

        def given(t, y, used=used):
            return torch.func.functional_call(field, used, (t, y))

        spec = SolveSpec("bosh3", 1e-4, 1e-4, adjoint=mode, compile=compiled)
        values = solve(given, start(), MANY, spec, used.values()).values
        gradients.append(torch.autograd.grad(values.square().sum(), list(leaves.values())))
    assert compilation.done.refused == {}
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_may_be_empty(mode):
    y0 = start(0).requires_grad_()
    spec = SolveSpec("bosh3", rtol=1e-3, adjoint=mode, compile="step")
    values = solve(Field(), y0, MANY, spec).values
    values.sum().backward()
    assert values.shape == (40, 0, 2)
    assert y0.grad is not None


def test_the_evaluation_that_is_too_many_is_told():
    """Also in a step over outputs, of a method whose last stage is not the next first one."""
    backward = BackwardSpec("adaptive_heun", 1e-2, 1e-2)
    spec = SolveSpec("euler", step_size=1.0, adjoint="full", backward=backward)
    stopped = []
    for limit in range(40, 60):
        said = []
        for compiled in ("step", "off"):
            settings = replace(spec, max_nfe=limit, compile=compiled)
            solution = solve(Field(), start(), MANY, settings)
            try:
                solution.values.sum().backward()
            except SolverError as error:
                said.append((str(error), solution.stats.nfe_backward))
        assert len(said) in (0, 2)
        assert len(set(said)) == len(said) // 2
        stopped.append(bool(said))
    assert any(stopped)
