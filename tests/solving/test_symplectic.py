"""Solvers for Hamiltonian systems: order, symplecticity, energy, gradients, and refusals."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from solving.hamiltonian import (
    DOUBLE,
    Driven,
    HenonHeiles,
    Learned,
    Oscillator,
    Pendulum,
    end,
    start_of,
    symplectic_defect,
    times,
)
from torch.func import jacfwd, jacrev, vmap

from node_cli.errors import SolverError
from node_cli.methods import METHODS
from node_cli.models.ode_solve import OdeSolve
from node_cli.solving import SolveSpec, solve
from node_cli.solving.spec import BackwardSpec

SPLITTING = [name for name, method in METHODS.items() if method.family == "splitting"]
SYMPLECTIC = [*SPLITTING, "implicit_midpoint"]
LEAPFROGS = {"leapfrog": 1, "yoshida4": 3}  # in one step


def test_what_the_methods_need():
    assert {name: method.needs for name, method in METHODS.items() if method.needs} == {
        "leapfrog": "separable",
        "yoshida4": "separable",
        "implicit_midpoint": "hamiltonian",
    }
    takes = METHODS["implicit_midpoint"].takes
    assert [takes(kind) for kind in ("separable", "hamiltonian", None)] == [True, True, False]
    takes = METHODS["leapfrog"].takes
    assert [takes(kind) for kind in ("separable", "hamiltonian", None)] == [True, False, False]


def rotated(y0, t):
    cos, sin = math.cos(t), math.sin(t)
    return torch.stack((cos * y0[0] + sin * y0[1], cos * y0[1] - sin * y0[0]))


@pytest.mark.parametrize("system", [Oscillator, Driven], ids=["oscillator", "driven"])
@pytest.mark.parametrize("method", SYMPLECTIC)
def test_errors_fall_with_the_order(method, system):
    field, y0, stop = system(), times(1.0, 0.3), 3.0
    if system is Oscillator:
        exact = rotated(y0, stop)
    else:  # whose time is part of each half
        spec = SolveSpec(method="dopri8", rtol=1e-13, atol=1e-14)
        exact = solve(field, y0, times(0.0, stop), spec).values[-1]
    errors = [
        float((end(field, y0, method, stop, steps=steps) - exact).abs().max())
        for steps in (30, 60, 120)
    ]
    order = METHODS[method].order
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("adjoint", ["direct", "checkpointed"])
@pytest.mark.parametrize(("stop", "steps"), [(0.5, 1), (8.0, 40)], ids=["a step", "the flow"])
@pytest.mark.parametrize("system", [Pendulum, HenonHeiles])
def test_the_jacobian_is_symplectic(system, stop, steps, adjoint):
    how = {"stop": stop, "steps": steps, "adjoint": adjoint}
    for method in SYMPLECTIC:
        assert symplectic_defect(system(), start_of(system), method, **how) < 2e-14 * steps
    assert symplectic_defect(system(), start_of(system), "rk4", **how) > 1e-6


@pytest.mark.parametrize("system", [Pendulum, HenonHeiles, Driven])
def test_the_way_back_is_the_way_forth(system):
    y0 = start_of(system)

    def there_and_back(method):
        there = end(system(), y0, method, 6.0, 0.0, steps=20)
        back = end(system(), there, method, 0.0, 6.0, steps=20)
        assert (there - y0).abs().max() > 0.1
        return float((back - y0).abs().max())

    for method in SYMPLECTIC:
        assert there_and_back(method) < 1e-13
    assert there_and_back("rk4") > 1e-6


def energy_errors(method, steps):
    """Of a pendulum, at 200 times over so many steps of 0.2."""
    field = Pendulum()
    t = torch.linspace(0.0, 0.2 * steps, 201, **DOUBLE)
    with torch.no_grad():
        spec = SolveSpec(method=method, step_size=0.2)
        values = solve(field, start_of(Pendulum), t, spec)
    assert values.stats.steps_accepted == steps
    return field.energy(values.values) - field.energy(start_of(Pendulum))


def test_the_energy_stays_bounded_over_100000_steps():
    errors = energy_errors("leapfrog", 100_000)
    assert errors.abs().max() < 8e-3
    assert errors[-20:].abs().max() < 1.05 * errors[:50].abs().max()
    # rk4 loses it, in proportion to the time: in as many steps eight times as much.
    lost = energy_errors("rk4", 10_000)
    assert lost[-1] == pytest.approx(2 * float(lost[100]), rel=0.1)
    assert 10 * lost[-1] < -6e-2


@pytest.mark.parametrize(
    ("method", "steps", "bound"), [("yoshida4", 10_000, 1.3e-4), ("implicit_midpoint", 2_000, 2e-3)]
)
def test_the_energy_of_the_others_stays_bounded(method, steps, bound):
    errors = energy_errors(method, steps)
    assert errors.abs().max() < bound
    assert errors[-20:].abs().max() < 1.05 * errors[:100].abs().max()


@pytest.mark.parametrize("adjoint", ["direct", "checkpointed"])
@pytest.mark.parametrize("method", SYMPLECTIC)
def test_gradients_pass_gradcheck(method, adjoint):
    field = Learned()
    spec = SolveSpec(method=method, step_size=0.3, adjoint=adjoint)
    y0 = torch.tensor([[0.5, -1.0, 0.2, 0.8]], **DOUBLE, requires_grad=True)

    def outputs(y0, *_):
        return solve(field, y0, times(0.0, 0.3, 1.0), spec).values

    assert torch.autograd.gradcheck(outputs, (y0, *field.parameters()), atol=1e-8, rtol=1e-6)


def loss_gradients(field, y0, spec, t=(0.0, 0.3, 1.0)):
    solution = solve(field, y0, times(*t), spec)
    inputs = [x for x in (y0, *field.parameters()) if x.requires_grad]
    found = torch.autograd.grad(solution.values.square().sum(), inputs, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]


@pytest.mark.parametrize("learned_start", [True, False])
@pytest.mark.parametrize("method", SYMPLECTIC)
def test_checkpointed_gradients_are_those_of_direct(method, learned_start):
    field = Learned()
    y0 = torch.randn(5, 4, **DOUBLE, generator=torch.Generator().manual_seed(1))
    y0.requires_grad_(learned_start)
    spec = SolveSpec(method=method, step_size=0.1)
    direct = loss_gradients(field, y0, spec)
    replayed = loss_gradients(field, y0, replace(spec, adjoint="checkpointed"))
    assert len(direct) == 8 + learned_start
    for one, other in zip(direct, replayed, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)
    assert all(p.grad is None for p in field.parameters())


@pytest.mark.parametrize("mode", ["full", "seminorm"])
@pytest.mark.parametrize("method", SYMPLECTIC)
def test_the_continuous_adjoint_needs_another_solver(method, mode):
    field, y0 = Learned(), torch.tensor([0.5, -1.0, 0.2, 0.8], **DOUBLE, requires_grad=True)
    spec = SolveSpec(method=method, step_size=0.01, rtol=1e-9, atol=1e-9, adjoint=mode)
    with pytest.raises(ValueError, match=f"kind that {method} is for"):
        solve(field, y0, times(0.0, 1.0), spec)
    with torch.no_grad():
        solve(field, y0, times(0.0, 1.0), spec)
    spec = replace(spec, backward=BackwardSpec(method="dopri5"))
    found = loss_gradients(field, y0, spec)
    direct = loss_gradients(field, y0, replace(spec, adjoint="direct"))
    for one, other in zip(found, direct, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_mode_is_advised_only_where_it_can_be():
    spec = SolveSpec(method="leapfrog", step_size=0.1)
    assert spec.sparing_modes == ["checkpointed"]
    assert replace(spec, backward=BackwardSpec("rk4")).sparing_modes == ["checkpointed", "full"]


@pytest.mark.parametrize("method", SPLITTING)
def test_two_halves_count_as_one_evaluation(method):
    field, steps, inside = Learned(), 6, LEAPFROGS[method]
    y0 = torch.ones(4, **DOUBLE, requires_grad=True)
    spec = SolveSpec(method=method, num_steps=steps, adjoint="checkpointed")
    solution = solve(field, y0, times(0.0, 0.5, 1.0), spec)
    # One force at the start, and then one for each leapfrog step, across output times too.
    assert solution.stats.nfe_forward == field.forces == inside * steps + 1
    assert field.velocities == inside * steps
    solution.values.sum().backward()
    # A replayed step knows nothing of that before it.
    assert solution.stats.nfe_backward == (inside + 1) * steps
    assert field.forces == solution.stats.nfe_forward + solution.stats.nfe_backward
    assert solution.stats.steps_accepted == steps
    assert field.wholes == 0
    with pytest.raises(SolverError, match="max_nfe=5 allows"):
        solve(field, y0, times(0.0, 1.0), replace(spec, max_nfe=5))


def test_without_anything_to_learn_there_is_no_graph():
    for method in SYMPLECTIC:
        assert not end(Pendulum(), start_of(Pendulum), method).requires_grad


@pytest.mark.parametrize("adjoint", ["direct", "checkpointed"])
@pytest.mark.parametrize("method", SYMPLECTIC)
def test_autocast_is_entered_in_every_evaluation(method, adjoint):
    field = Learned(dtype=torch.float32)
    y0 = torch.randn(64, 4, generator=torch.Generator().manual_seed(3)).requires_grad_()
    spec = SolveSpec(method=method, step_size=0.1, adjoint=adjoint)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            values = solve(field, y0, torch.tensor([0.0, 1.0]), spec).values
        assert values.dtype == torch.float32
        found.append((values, *torch.autograd.grad(values.square().sum(), y0)))
    for exact, coarse in zip(*found, strict=True):
        assert not torch.equal(exact, coarse)
        torch.testing.assert_close(coarse, exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("adjoint", ["direct", "checkpointed"])
@pytest.mark.parametrize("method", SYMPLECTIC)
def test_a_learned_interval_passes_the_halves_on(method, adjoint):
    """In units of T: its gradient is that of central differences."""
    field, y0 = Driven(), start_of(Driven)
    spec = SolveSpec(method=method, step_size=0.05, adjoint=adjoint)

    def at(log_time):
        solved = OdeSolve(spec, 2.0, learn_time=True).double()
        with torch.no_grad():
            solved.log_time.copy_(log_time)
        return solved.log_time, solved(field, y0, (0.0, 1.0))[-1].sum()

    here = times(2.0)[0].log()
    log_time, value = at(here)
    torch.testing.assert_close(value, end(field, y0, method, 2.0, steps=40).sum())
    (gradient,) = torch.autograd.grad(value, log_time)
    with torch.no_grad():
        difference = (at(here + 1e-5)[1] - at(here - 1e-5)[1]) / 2e-5
    torch.testing.assert_close(gradient, difference, rtol=1e-8, atol=1e-8)
    assert (field.wholes == 0) == (method in SPLITTING)


@pytest.mark.parametrize("method", SPLITTING)
def test_transforms_of_torch_func_go_through_splitting(method):
    starts = torch.stack((start_of(Pendulum), times(0.2, -0.4)))

    def solved(y0):
        return end(Pendulum(), y0, method)

    torch.testing.assert_close(vmap(solved)(starts), torch.stack([*map(solved, starts)]))
    jacobian = torch.autograd.functional.jacobian(solved, starts[0])
    for transform in (jacrev, jacfwd):
        torch.testing.assert_close(transform(solved)(starts[0]), jacobian)
    loss = starts[0].clone().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda y: solved(y).sin().sum(), loss)


def whole_only(t, y):
    return y


@pytest.mark.parametrize("learn_time", [False, True])
@pytest.mark.parametrize("method", SPLITTING)
def test_a_field_without_halves_is_refused(method, learn_time):
    solved = OdeSolve(SolveSpec(method=method, step_size=0.1), learn_time=learn_time)
    with pytest.raises(SolverError) as caught:
        solved(whole_only, torch.ones(2), (0.0, 1.0))
    message = str(caught.value)
    assert message.startswith("test_symplectic.py, line ")
    for part in ("the vector field whole_only gives only the whole", "velocity(t, p)", "rk4"):
        assert part in message


@pytest.mark.parametrize("method", SPLITTING)
@pytest.mark.parametrize(
    ("state", "told"),
    [
        (torch.ones(4, 3), "the state has shape [4, 3]"),
        (torch.tensor(1.0), "the state has shape []"),
        ((torch.ones(2), torch.ones(2)), "the state is a tuple of 2"),
    ],
    ids=["odd", "scalar", "tuple"],
)
def test_a_state_without_halves_is_refused(method, state, told):
    with pytest.raises(SolverError) as caught:
        solve(Pendulum(), state, times(0.0, 1.0), SolveSpec(method=method, step_size=0.1))
    assert told in str(caught.value)
    assert "side by side" in str(caught.value)


class Misshapen(Pendulum):
    def of_momenta(self, t, p):
        return p.sum(-1)


def test_a_half_of_another_shape_is_refused():
    with pytest.raises(SolverError) as caught:
        end(Misshapen(), torch.ones(3, 4), "leapfrog")
    for part in (
        "velocity gave a tensor of shape [3]",
        "the momenta have shape [3, 2]",
        "must give dq/dt, of the shape and dtype of p",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize("method", SYMPLECTIC)
def test_torchdiffeq_has_none_of_them(method):
    spec = SolveSpec(method=method, step_size=0.1, backend="torchdiffeq")
    with pytest.raises(ValueError, match=f"torchdiffeq has no {method}"):
        solve(Pendulum(), start_of(Pendulum), times(0.0, 1.0), spec)
    backward = SolveSpec(
        adjoint="full", backend="torchdiffeq", backward=BackwardSpec(method, step_size=0.1)
    )
    with pytest.raises(ValueError, match=f"torchdiffeq has no {method}"):
        solve(Learned(1), torch.ones(2, **DOUBLE), times(0.0, 1.0), backward)
