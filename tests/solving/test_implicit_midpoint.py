"""The implicit midpoint rule: its iteration, and the gradient through it."""

import math
from dataclasses import replace

import pytest
import torch
from solving.hamiltonian import (
    DOUBLE,
    Learned,
    Oscillator,
    Pendulum,
    end,
    start_of,
    symplectic_defect,
    times,
)
from solving.problems import Network
from torch.func import grad, jacfwd, jacrev, vmap

from node_cli.errors import SolverError
from node_cli.solving import SolveSpec, solve


def test_the_implicit_rule_counts_its_iterations():
    field, y0 = Pendulum(), start_of(Pendulum)
    spec = SolveSpec(method="implicit_midpoint", step_size=0.1)
    with torch.no_grad():
        solution = solve(field, y0, times(0.0, 1.0), spec)
    assert solution.stats.nfe_forward == field.wholes
    assert 50 < field.wholes < 150
    asked = field.wholes
    solution = solve(field, y0.requires_grad_(), times(0.0, 1.0), spec)
    assert field.wholes - asked == asked + 10  # once more in each step, for the gradient
    solution.values.sum().backward()
    assert solution.stats.nfe_backward == 0


def test_the_implicit_rule_keeps_one_evaluation_a_step():
    spec = SolveSpec(method="implicit_midpoint", step_size=0.1)
    kept = {}
    for method in ("implicit_midpoint", "midpoint"):
        y0 = torch.ones(100, 2, **DOUBLE, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x, m=method: (kept.__setitem__(m, kept.get(m, 0) + 1), x)[1], lambda x: x
        ):
            solve(Network(), y0, times(0.0, 1.0), replace(spec, method=method))
    assert kept["implicit_midpoint"] < kept["midpoint"]


def residual(field, y0, y1, h):
    """Of the equation of the implicit midpoint rule."""
    return y1 - y0 - h * field(torch.tensor(h / 2, dtype=y0.dtype), (y0 + y1) / 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_the_equation_holds_to_rounding_in_each_row(dtype):
    """In small states beside large ones too."""
    field, h = Learned(dtype=dtype), 0.5
    scale = 10.0 ** torch.arange(-6, 3, dtype=dtype).unsqueeze(1)
    y0 = scale * torch.randn(9, 4, dtype=dtype, generator=torch.Generator().manual_seed(2))
    spec = SolveSpec(method="implicit_midpoint", step_size=h)
    with torch.no_grad():
        y1 = solve(field, y0, torch.tensor([0.0, h], dtype=dtype), spec).values[-1]
        left = residual(field, y0, y1, h).abs().amax(1)
        assert (left <= 8 * torch.finfo(dtype).eps * torch.maximum(y0, y1).abs().amax(1)).all()


def test_at_rest_the_iteration_ends_at_once_and_the_gradient_is_right():
    defect = symplectic_defect(Pendulum(), times(0.0, 0.0), "implicit_midpoint")
    assert defect < 1e-14
    h, linear = 0.1, times(0.0, 1.0, -1.0, 0.0).reshape(2, 2)
    found = torch.autograd.functional.jacobian(
        lambda y: end(Pendulum(), y, "implicit_midpoint", h, steps=1), times(0.0, 0.0)
    )
    cayley = torch.linalg.solve(
        torch.eye(2, **DOUBLE) - h / 2 * linear, torch.eye(2, **DOUBLE) + h / 2 * linear
    )
    torch.testing.assert_close(found, cayley, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("adjoint", ["direct", "checkpointed"])
def test_steps_too_large_for_the_iteration_are_told(adjoint):
    y0 = times(1.0, 0.3).requires_grad_()
    spec = SolveSpec(method="implicit_midpoint", step_size=5.0, adjoint=adjoint)
    with pytest.raises(
        SolverError, match=r"at t = 0: the iteration .* not converge, with a step of 5. .* smaller"
    ):
        solve(Oscillator(), y0, times(0.0, 10.0), spec)


def test_what_is_not_finite_ends_the_solve_and_passes_the_gradient():
    def breaks(t, y):
        return torch.where(t > 0.5, torch.full_like(y, math.nan), -y)

    spec = SolveSpec(method="implicit_midpoint", step_size=0.1)
    with pytest.raises(SolverError, match=r"at t = 0\.6 .* no longer finite"):
        solve(breaks, start_of(Pendulum), times(0.0, 1.0), spec)
    y0 = start_of(Pendulum).requires_grad_()
    (solve(Pendulum(), y0, times(0.0, 1.0), spec).values[-1].sum() * math.inf).backward()
    assert not y0.grad.isfinite().any()


@pytest.mark.parametrize("transform", [vmap, jacrev, jacfwd, lambda f: grad(lambda y: f(y).sum())])
def test_transforms_of_torch_func_do_not_go_through_the_implicit_rule(transform):
    def solved(y0):
        return end(Pendulum(), y0, "implicit_midpoint")

    y0 = start_of(Pendulum)
    with pytest.raises(ValueError, match="transforms of torch\\.func do not allow"):
        transform(solved)(y0.expand(2, 2) if transform is vmap else y0)


def test_a_second_derivative_of_the_implicit_rule_is_refused():
    y0 = start_of(Pendulum).requires_grad_()
    value = end(Pendulum(), y0, "implicit_midpoint").square().sum()
    with pytest.raises(ValueError, match="cannot be differentiated again"):
        torch.autograd.grad(value, y0, create_graph=True)
