"""Solves against closed solutions; counts against independent counts."""

import math
import re

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from solving.problems import Linear
from torch import nn

from node_cli.errors import SolverError
from node_cli.methods import METHODS
from node_cli.solving import SolveSpec, record_solves, solve, total

ADAPTIVE = ["dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun"]
FIXED_ORDER = {"euler": 1, "midpoint": 2, "heun2": 2, "heun3": 3, "rk4": 4}
ADAMS = ["explicit_adams", "implicit_adams"]
SCIPY = ["scipy-RK45", "scipy-LSODA", "scipy-Radau"]


def exact_linear(field, y0, t):
    return torch.stack([y0 @ torch.matrix_exp(field.matrix * s).T for s in (t - t[0])])


def adaptive(method, **changes):
    return SolveSpec(**{"method": method, "rtol": 1e-8, "atol": 1e-10, **changes})


def start():
    return torch.tensor([[1.0, 0.0], [0.3, -0.7]], dtype=torch.float64)


@pytest.mark.parametrize("method", ADAPTIVE)
@pytest.mark.parametrize("times", [[0.0, 0.5, 1.0], [1.0, 0.25, 0.0]])
def test_adaptive_solvers_meet_the_closed_solution_in_both_directions(method, times):
    field, t = Linear(), torch.tensor(times, dtype=torch.float64)
    # Local errors of the second-order pairs add up over their many steps, and dopri8's dense
    # output is of lower order than its steps.
    rtol, allowed = {
        "dopri5": (1e-8, 1e-7),
        "bosh3": (1e-8, 5e-6),
        "dopri8": (1e-8, 2e-5),
        "fehlberg2": (1e-7, 1e-5),
        "adaptive_heun": (1e-7, 1e-5),
    }[method]
    values = solve(field, start(), t, adaptive(method, rtol=rtol)).values
    torch.testing.assert_close(values, exact_linear(field, start(), t), rtol=0, atol=allowed)


@pytest.mark.parametrize("method", SCIPY)
def test_scipy_solvers_meet_the_closed_solution(method):
    field, t = Linear(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = adaptive(method, adjoint="full")
    with torch.no_grad():
        values = solve(field, start(), t, spec).values
    torch.testing.assert_close(values, exact_linear(field, start(), t), rtol=1e-6, atol=1e-6)


def test_dopri5_agrees_with_scipy_on_a_nonlinear_problem():
    def pendulum(t, y):
        return torch.stack([y[1], -torch.sin(y[0]) + 0.1 * torch.cos(t)])

    def pendulum_numpy(t, y):
        return np.array([y[1], -np.sin(y[0]) + 0.1 * np.cos(t)])

    t = torch.tensor([0.0, 2.0, 5.0], dtype=torch.float64)
    y0 = torch.tensor([1.0, 0.0], dtype=torch.float64)
    ours = solve(pendulum, y0, t, adaptive("dopri5", rtol=1e-10, atol=1e-12)).values
    theirs = solve_ivp(
        pendulum_numpy, (0, 5), [1.0, 0.0], "DOP853", t_eval=t.numpy(), rtol=1e-12, atol=1e-12
    ).y.T
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("method", "order"), FIXED_ORDER.items())
def test_halving_the_step_shows_the_order_of_a_fixed_step_solver(method, order):
    field, t = Linear(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    exact = exact_linear(field, start(), t)[-1]
    errors = []
    for steps in (16, 32):
        spec = SolveSpec(method=method, num_steps=steps)
        errors.append((solve(field, start(), t, spec).values[-1] - exact).abs().max().item())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("method", ADAMS)
def test_adams_methods_converge(method):
    field, t = Linear(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = SolveSpec(method=method, num_steps=50)
    values = solve(field, start(), t, spec).values
    torch.testing.assert_close(values, exact_linear(field, start(), t), rtol=1e-5, atol=1e-5)


def test_output_times_between_steps_do_not_cost_order():
    field, t = Linear(), torch.tensor([0.0, 0.333, 1.0], dtype=torch.float64)
    values = solve(field, start(), t, SolveSpec(method="rk4", step_size=0.1)).values
    torch.testing.assert_close(values, exact_linear(field, start(), t), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("adjoint", ["direct", "full", "seminorm", "checkpointed"])
@pytest.mark.parametrize(
    "spec",
    [
        adaptive("dopri5"),
        adaptive("dopri8", rtol=1e-11, atol=1e-13),
        adaptive("bosh3"),
        SolveSpec(method="rk4", step_size=0.01),
    ],
    ids=lambda spec: spec.method,
)
def test_gradients_of_every_adjoint_mode_meet_the_closed_gradient(spec, adjoint):
    from dataclasses import replace

    field, t = Linear(), torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
    y0 = start().requires_grad_()
    weights = torch.tensor([[[0.0]], [[0.5]], [[1.0]]], dtype=torch.float64)
    values = solve(field, y0, t, replace(spec, adjoint=adjoint)).values
    ours = torch.autograd.grad((weights * values**2).sum(), (y0, field.matrix))
    exact = exact_linear(field, y0, t)
    truth = torch.autograd.grad((weights * exact**2).sum(), (y0, field.matrix))
    for mine, true in zip(ours, truth, strict=True):
        torch.testing.assert_close(mine, true, rtol=1e-5, atol=1e-5)


def test_direct_gradients_pass_gradcheck():
    field, t = Linear(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = SolveSpec(method="rk4", num_steps=4)

    def last(y0, matrix):
        return solve(lambda _, y: y @ matrix.T, y0, t, spec).values[-1]

    assert torch.autograd.gradcheck(last, (start().requires_grad_(), field.matrix))


@pytest.mark.parametrize("adjoint", ["direct", "full", "seminorm", "checkpointed"])
def test_evaluations_are_counted_forward_and_backward_apart(adjoint):
    field, t = Linear(), torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    solution = solve(field, start(), t, adaptive("dopri5", rtol=1e-5, adjoint=adjoint))
    forward = field.calls
    assert forward > 0
    assert solution.stats.nfe_forward == forward
    assert solution.stats.nfe_backward == 0
    solution.values.sum().backward()
    assert solution.stats.nfe_forward == forward
    assert solution.stats.nfe_backward == field.calls - forward
    assert (solution.stats.nfe_backward == 0) == (adjoint == "direct")
    solves_backwards = adjoint in ("full", "seminorm")
    assert (solution.stats.backward_steps_accepted > 0) == solves_backwards


def test_dopri5_steps_explain_its_evaluations():
    field, t = Linear(), torch.tensor([0.0, 3.0], dtype=torch.float64)
    stats = solve(field, start(), t, adaptive("dopri5")).stats
    # Two evaluations choose the first step; each step, kept or not, takes six (the first stage
    # is the last one of the step before).
    assert stats.nfe_forward == 2 + 6 * (stats.steps_accepted + stats.steps_rejected)


def test_rejected_steps_are_counted():
    def bend(t, y):
        return torch.tanh(100.0 * (t - 0.5)) * torch.ones_like(y)

    stats = solve(bend, start(), torch.tensor([0.0, 1.0]), adaptive("dopri5", rtol=1e-4)).stats
    assert stats.steps_rejected > 0


def test_fixed_steps_are_counted():
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = SolveSpec(method="rk4", step_size=0.25, adjoint="full")
    solution = solve(Linear(), start(), t, spec)
    assert solution.stats.steps_accepted == 4
    assert solution.stats.nfe_forward == 16
    solution.values[-1].sum().backward()
    assert solution.stats.backward_steps_accepted == 4
    assert solution.stats.nfe_backward == 16


def test_two_solves_of_one_field_are_counted_apart_and_summed():
    field, t = Linear(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    with record_solves() as solves:
        first = solve(field, start(), t, adaptive("dopri5", adjoint="full"))
        second = solve(field, first.values[-1], t, adaptive("bosh3"))
    assert solves == [first.stats, second.stats]
    second.values.sum().backward()
    assert first.stats.nfe_backward > 0
    assert second.stats.nfe_backward == 0
    assert total(solves).nfe_forward + total(solves).nfe_backward == field.calls


def test_a_nested_record_also_reaches_the_outer_one():
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    with record_solves() as outer:
        with record_solves() as inner:
            solve(Linear(), start(), t, adaptive("dopri5"))
        solve(Linear(), start(), t, adaptive("dopri5"))
    assert (len(inner), len(outer)) == (1, 2)


def test_no_gradient_means_no_backward_solve():
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    with torch.no_grad():
        solution = solve(Linear(), start(), t, adaptive("dopri5", adjoint="full"))
    assert not solution.values.requires_grad
    assert solution.stats.nfe_backward == 0


@pytest.mark.parametrize("adjoint", ["direct", "full", "seminorm", "checkpointed"])
def test_a_tuple_of_states_solves_like_its_parts(adjoint):
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)

    def both(s, state):
        return -state[0], torch.cos(s) * torch.ones_like(state[1])

    y0 = (start().requires_grad_(), torch.zeros(3, dtype=torch.float64))
    first, second = solve(both, y0, t, adaptive("dopri5", adjoint=adjoint), parameters=()).values
    torch.testing.assert_close(first[-1], start() * math.exp(-1), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(
        second[-1], torch.full((3,), math.sin(1.0)).double(), rtol=1e-6, atol=1e-7
    )
    (gradient,) = torch.autograd.grad(first[-1].sum(), y0[0])
    torch.testing.assert_close(
        gradient, torch.full((2, 2), math.exp(-1)).double(), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("method", ["dopri5", "bosh3"])
def test_a_field_that_is_not_finite_ends_with_the_time_and_advice(method):
    def broken(t, y):
        return y / (t - t)

    with pytest.raises(SolverError, match=rf"{method} stopped at t = .*try"):
        solve(broken, start(), torch.tensor([0.0, 1.0]), adaptive(method))


def test_the_step_limit_ends_a_solve_with_its_name():
    t = torch.tensor([0.0, 50.0], dtype=torch.float64)
    with pytest.raises(SolverError, match=r"solver\.max_steps"):
        solve(Linear(), start(), t, adaptive("dopri5", max_steps=3))


@pytest.mark.parametrize("adjoint", ["direct", "full"])
def test_autocast_reaches_both_passes_and_the_state_keeps_its_precision(adjoint):
    seen = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, t, y):
            out = self.layer(y)
            seen.append(out.dtype)
            return out

    y0 = torch.ones(3, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spec = SolveSpec(adjoint=adjoint)
        values = solve(Watched(), y0, torch.tensor([0.0, 1.0]), spec).values
    assert values.dtype == torch.float32
    values.sum().backward()
    assert set(seen) == {torch.bfloat16}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"method": "dopri55"}, "method=dopri55: there is no such method; did you mean dopri5?"),
        ({"method": "LSODA"}, "method=LSODA: there is no such method"),
        ({"adjoint": "fulll"}, "adjoint=fulll: there is no such adjoint; did you mean full?"),
        ({"backend": "jax"}, "backend=jax: there is no such backend"),
    ],
    ids=str,
)
def test_an_unknown_name_is_refused(wrong, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        SolveSpec(**wrong)


def test_the_kind_of_a_solver_follows_from_its_name():
    kinds = {name: SolveSpec(method=name).kind for name in METHODS}
    assert kinds["dopri5"] == "adaptive"
    assert kinds["rk4"] == "fixed"
    assert kinds["scipy-LSODA"] == "scipy"


@pytest.mark.parametrize(("num_steps", "taken"), [(2, 64), (64, 64), (128, 128)])
def test_fixed_steps_meet_every_output_time(num_steps, taken):
    t = torch.linspace(0, 1, 65)
    spec = SolveSpec(method="euler", num_steps=num_steps)
    solution = solve(lambda t, y: -y, torch.ones(1), t, spec)
    assert solution.stats.steps_accepted == taken
