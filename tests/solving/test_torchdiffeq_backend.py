"""Our own solvers against torchdiffeq's."""

from dataclasses import replace

import pytest
import torch
from solving.problems import Network

from node_cli.solving import SolveSpec, solve

T = torch.tensor([0.0, 0.7, 2.0], dtype=torch.float64)


def start():
    return torch.tensor([[0.5, -1.0], [0.1, 0.2]], dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun2", "heun3", "rk4"])
def test_fixed_steps_are_those_of_torchdiffeq(method):
    field = Network()
    spec = SolveSpec(method=method, step_size=0.2)
    ours = solve(field, start(), T, spec)
    theirs = solve(field, start(), T, replace(spec, backend="torchdiffeq"))
    torch.testing.assert_close(ours.values, theirs.values, rtol=1e-13, atol=1e-13)
    assert ours.stats == theirs.stats


@pytest.mark.parametrize("method", ["dopri5", "bosh3"])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_adaptive_solvers_take_the_steps_of_torchdiffeq(method, tolerance):
    field = Network()
    spec = SolveSpec(method=method, rtol=tolerance, atol=tolerance)
    ours = solve(field, start(), T, spec)
    theirs = solve(field, start(), T, replace(spec, backend="torchdiffeq"))
    assert ours.stats == theirs.stats
    if method == "dopri5":
        torch.testing.assert_close(ours.values, theirs.values, rtol=0, atol=10 * tolerance)


def test_values_inside_the_steps_of_bosh3_are_nearer_to_the_truth():
    # torchdiffeq fits a quartic through a midpoint of second order.
    field = Network()
    spec = SolveSpec(method="bosh3", rtol=1e-6, atol=1e-6)
    truth = solve(field, start(), T, SolveSpec(rtol=1e-12, atol=1e-12)).values
    errors = [
        (solve(field, start(), T, replace(spec, backend=backend)).values - truth).abs().max()
        for backend in ("native", "torchdiffeq")
    ]
    assert errors[0] < errors[1] / 10


def test_a_value_inside_a_step_is_that_of_torchdiffeq():
    field, spec = Network(), SolveSpec(rtol=1e-2, atol=1e-2)
    t = torch.tensor([0.0, 0.31, 0.74, 1.3, 5.0], dtype=torch.float64)
    ours = solve(field, start(), t, spec).values
    theirs = solve(field, start(), t, replace(spec, backend="torchdiffeq")).values
    # All but the last lie in steps that both take alike.
    torch.testing.assert_close(ours[:4], theirs[:4], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mode", ["full", "seminorm"])
def test_the_adjoint_is_that_of_torchdiffeq(mode):
    found = []
    for backend in ("native", "torchdiffeq"):
        field, y0 = Network(), start()
        spec = SolveSpec(rtol=1e-9, atol=1e-9, adjoint=mode, backend=backend)
        values = solve(field, y0, T, spec).values
        found.append(torch.autograd.grad(values.square().sum(), (y0, *field.parameters())))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_torchdiffeq_has_no_adams_and_no_checkpoints():
    for name in ("adams", "checkpointed"):
        spec = SolveSpec(method=name) if name == "adams" else SolveSpec(adjoint=name)
        with pytest.raises(ValueError, match=f"torchdiffeq has no {name}"):
            solve(Network(), start(), T, replace(spec, backend="torchdiffeq"))
