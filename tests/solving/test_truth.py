"""Every solver and every way to gradients against closed solutions and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from solving.problems import PROBLEMS, Linear, Network

from node_cli.methods import METHODS
from node_cli.solving import SolveSpec, solve

ADAPTIVE = [name for name, method in METHODS.items() if method.kind == "adaptive"]
FIXED = [
    name
    for name, method in METHODS.items()
    if method.kind == "fixed" and method.needs != "separable"
]
SCIPY = [name for name, method in METHODS.items() if method.kind == "scipy"]
ONE_STEP = [name for name in (*ADAPTIVE, *FIXED) if METHODS[name].one_step]

# Tolerances at which each can be asked, and by how much its global error may exceed them.
LOOSE_ONES = ("adaptive_heun", "fehlberg2")


def spec_of(method, dtype, **changes):
    kind = METHODS[method].kind
    tolerance = 1e-5 if dtype == torch.float32 or method in LOOSE_ONES else 1e-8
    if method == "fehlberg2":
        tolerance *= 1e-2  # its error estimate has the factor 1 / 512
    spec = SolveSpec(method=method, rtol=tolerance, atol=tolerance, max_steps=100_000)
    if kind == "fixed":
        # Steps short enough for the stiff-ish problem, on which Adams methods are least stable.
        spec = replace(spec, step_size=0.005, max_steps=None)
    if kind == "scipy":
        spec = replace(spec, adjoint="full", max_steps=None)
    return replace(spec, **changes)


def allowed_error(method, dtype):
    if dtype == torch.float32:
        return 2e-2 if method == "euler" else 3e-3
    return {
        "euler": 2e-2,
        "midpoint": 1e-3,
        "heun2": 1e-3,
        "implicit_midpoint": 1e-3,
        "heun3": 1e-4,
        "explicit_adams": 1e-4,
        "implicit_adams": 1e-4,
        # Their embedded solution is of order 1, so the error is that of many small steps.
        "adaptive_heun": 1e-3,
        "fehlberg2": 1e-2,
    }.get(method, 1e-5)


@pytest.mark.parametrize("times", [[0.0, 0.3, 1.1, 2.0], [2.0, 1.1, 0.3, 0.0]], ids=["to", "fro"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
@pytest.mark.parametrize("method", [*ADAPTIVE, *FIXED, *SCIPY])
def test_closed_solutions(method, problem, dtype, times):
    if problem.name == "stiff-ish" and times[0] > times[-1]:
        pytest.skip("backwards in time its solutions grow like exp(25 t)")
    t, y0 = torch.tensor(times, dtype=dtype), problem.y0.to(dtype)
    with torch.no_grad():
        values = solve(problem.field, y0, t, spec_of(method, dtype)).values
    exact = torch.stack([problem.exact(problem.y0, t[0].double(), s.double()) for s in t])
    assert values.dtype == dtype
    error = allowed_error(method, dtype)
    torch.testing.assert_close(values.double(), exact, rtol=0, atol=error)


def modes_of(method):
    if METHODS[method].kind == "scipy":
        return ["full", "seminorm"]
    modes = ["direct", "full", "seminorm"] if METHODS[method].takes(None) else ["direct"]
    return [*modes, "checkpointed"] if method in ONE_STEP else modes


@pytest.mark.parametrize("times", [[0.0, 0.4, 1.0], [1.0, 0.4, 0.0]], ids=["to", "fro"])
@pytest.mark.parametrize(
    ("method", "mode"),
    [(m, mode) for m in (*ADAPTIVE, *FIXED, "scipy-DOP853", "scipy-LSODA") for mode in modes_of(m)],
)
def test_closed_gradients(method, mode, times):
    field, t = Linear(), torch.tensor(times, dtype=torch.float64)
    y0 = torch.tensor([[1.0, 0.0], [0.3, -0.7]], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([[[0.2]], [[0.5]], [[1.0]]], dtype=torch.float64)
    values = solve(field, y0, t, spec_of(method, torch.float64, adjoint=mode)).values
    ours = torch.autograd.grad((weights * values**2).sum(), (y0, field.matrix))
    exact = torch.stack([y0 @ torch.matrix_exp(field.matrix * (s - t[0])).T for s in t])
    truth = torch.autograd.grad((weights * exact**2).sum(), (y0, field.matrix))
    error = {"euler": 5e-2, **dict.fromkeys(LOOSE_ONES, 2e-3)}.get(method, 2e-4)
    for mine, true in zip(ours, truth, strict=True):
        torch.testing.assert_close(mine, true, rtol=error, atol=error)


@pytest.mark.parametrize("method", ["dopri5", "dopri8", "adams", "bosh3"])
def test_agreement_with_scipy_at_1e_minus_10(method):
    def pendulum(t, y):
        return torch.stack([y[1], -torch.sin(y[0]) + 0.1 * torch.cos(t)])

    def in_numpy(t, y):
        return np.array([y[1], -np.sin(y[0]) + 0.1 * np.cos(t)])

    t = torch.tensor([0.0, 2.0, 5.0], dtype=torch.float64)
    start = [1.0, 0.0]
    spec = SolveSpec(method=method, rtol=1e-10, atol=1e-10)
    ours = solve(pendulum, torch.tensor(start, dtype=torch.float64), t, spec).values
    theirs = solve_ivp(in_numpy, (0, 5), start, "DOP853", t_eval=t, rtol=1e-13, atol=1e-14).y.T
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=5e-9)


@pytest.mark.parametrize("mode", ["direct", "checkpointed"])
@pytest.mark.parametrize("method", ONE_STEP)
def test_gradients_of_the_discrete_solve_pass_gradcheck(method, mode):
    field = Network()
    t = torch.tensor([0.0, 0.35, 1.0], dtype=torch.float64)
    # Adaptive steps depend on the state: at a tolerance that never binds they stay what they are.
    spec = spec_of(method, torch.float64, adjoint=mode)
    if spec.kind == "fixed":
        spec = replace(spec, step_size=0.25)
    else:
        tolerance = 1e-4 if method in LOOSE_ONES else 1e-7
        spec = replace(spec, rtol=tolerance, atol=tolerance)

    def outputs(y0, *_):
        return solve(field, y0, t, spec).values

    y0 = torch.tensor([[0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    # A finite difference that changes the steps sees the solver's error, within the tolerance.
    assert torch.autograd.gradcheck(
        outputs, (y0, *field.parameters()), eps=1e-5, atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize(
    ("method", "mode"),
    [(m, mode) for m in (*ADAPTIVE, *FIXED, "scipy-DOP853") for mode in modes_of(m)],
)
def test_a_tuple_of_states_solves_and_differentiates_like_one_state(method, mode):
    field, t = Network(), torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    whole = torch.tensor([[0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    spec = spec_of(method, torch.float64, adjoint=mode)
    # Parts have norms of their own, so adaptive steps differ, within the tolerance.
    error = 1e-9 if spec.kind == "fixed" else 1e3 * spec.rtol
    values = solve(field, whole, t, spec).values
    truth = torch.autograd.grad(values.square().sum(), (whole, *field.parameters()))

    def in_parts(s, state):
        return field(s, torch.cat(state, dim=1)).split(1, dim=1)

    parts = tuple(part.detach().requires_grad_() for part in whole.split(1, dim=1))
    solved = solve(in_parts, parts, t, spec, parameters=field.parameters()).values
    assert isinstance(solved, tuple)
    assert [part.shape for part in solved] == [(3, 1, 1), (3, 1, 1)]
    torch.testing.assert_close(torch.cat(solved, dim=2), values, rtol=error, atol=error)
    loss = sum(part.square().sum() for part in solved)
    found = torch.autograd.grad(loss, (*parts, *field.parameters()))
    torch.testing.assert_close(torch.cat(found[:2], dim=1), truth[0], rtol=error, atol=error)
    for mine, true in zip(found[2:], truth[1:], strict=True):
        torch.testing.assert_close(mine, true, rtol=error, atol=error)


@pytest.mark.parametrize("method", ["dopri5", "dopri8", "adams", "rk4", "implicit_adams"])
@pytest.mark.parametrize("mode", ["direct", "full", "checkpointed"])
def test_intervals_of_no_length_cost_nothing_and_carry_gradients(method, mode):
    if mode == "checkpointed" and method not in ONE_STEP:
        pytest.skip("its steps cannot be replayed one by one")
    field = Network()
    y0 = torch.tensor([[0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    spec = spec_of(method, torch.float64, adjoint=mode)
    nowhere = solve(field, y0, torch.tensor([0.3, 0.3]), spec)
    assert field.calls == nowhere.stats.nfe_forward == 0
    assert torch.equal(nowhere.values, torch.stack([y0, y0]))
    (gradient,) = torch.autograd.grad(nowhere.values.sum(), y0)
    assert torch.equal(gradient, torch.full_like(y0, 2.0))

    once = solve(field, y0, torch.tensor([0.0, 0.5, 1.0]), spec).values
    twice = solve(field, y0, torch.tensor([0.0, 0.0, 0.5, 0.5, 1.0, 1.0]), spec).values
    assert torch.equal(twice[::2], once)
    assert torch.equal(twice[1::2], once)
    (single,) = torch.autograd.grad(once.square().sum(), y0)
    (double,) = torch.autograd.grad(twice.square().sum(), y0)
    torch.testing.assert_close(double, 2 * single, rtol=1e-5, atol=1e-6)
