from dataclasses import replace

import pytest
import torch
from torch import nn

from node_cli.models.ode_solve import ODEBlock, solved_as
from node_cli.solving import SolveSpec
from node_cli.studies.gradient_check import flat_gradient, gradient_check, reference_gradient


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[-0.3, 1.2], [-1.2, -0.3]]))

    def forward(self, t, y):
        return y @ self.matrix.T


class LeastSquares:
    """The part of a task that the check uses."""

    def loss(self, model, batch):
        inputs, labels = batch
        assert labels.dtype == torch.int64
        torch.rand(3)  # as dropout would draw
        return model(inputs).square().sum(), {}


def problem(**spec):
    model = ODEBlock(Field(), SolveSpec(**spec), end_time=5.0)
    batch = (torch.tensor([[1.0, 0.0], [0.3, -0.7]]), torch.tensor([0, 1]))
    LeastSquares().loss(model, batch)[0].backward()
    return model, batch


def test_the_reference_is_the_closed_gradient_whatever_the_solver():
    model, batch = problem(method="euler", step_size=0.5)
    found = reference_gradient(LeastSquares(), model, batch)
    matrix = model.field.matrix.detach().double().requires_grad_()
    exact = (batch[0].double() @ torch.matrix_exp(5.0 * matrix).T).square().sum()
    (truth,) = torch.autograd.grad(exact, matrix)
    torch.testing.assert_close(found, truth.flatten(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("mode", ["direct", "full", "seminorm", "checkpointed"])
def test_the_error_falls_with_the_tolerance(mode):
    errors = []
    for tolerance in (1e-1, 1e-3, 1e-6):
        model, batch = problem(rtol=tolerance, atol=tolerance, adjoint=mode)
        gradient = flat_gradient(model)
        errors.append(gradient_check(LeastSquares(), model, batch, gradient))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-4


def test_a_wrong_gradient_is_seen_as_wrong():
    model, batch = problem()
    gradient = flat_gradient(model)
    assert gradient_check(LeastSquares(), model, batch, 1.5 * gradient) == pytest.approx(
        0.5, abs=1e-2
    )
    assert gradient_check(LeastSquares(), model, batch, 0.0 * gradient) == pytest.approx(1.0)


def test_the_check_leaves_everything_as_it_was():
    model, batch = problem()
    before = (flat_gradient(model).clone(), torch.get_rng_state(), model.solve.spec)
    gradient_check(LeastSquares(), model, batch, flat_gradient(model))
    assert torch.equal(flat_gradient(model), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert model.solve.spec is before[2]
    assert model.field.matrix.dtype == torch.float32


def test_a_model_without_an_ode_cannot_be_checked():
    with pytest.raises(ValueError, match="no ODE"):
        reference_gradient(LeastSquares(), nn.Linear(2, 2), None)


def test_a_spec_comes_back_even_after_an_error():
    model, _ = problem()
    spec = model.solve.spec
    with (
        pytest.raises(ZeroDivisionError),
        solved_as(model, lambda spec: replace(spec, method="rk4")),
    ):
        assert 1 / len([s for s in [model.solve.spec] if s.method == "dopri5"])
    assert model.solve.spec is spec
