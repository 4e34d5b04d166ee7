import math

import pytest
import torch
from torch import nn

from node_cli.models.ode_solve import ODEBlock, OdeSolve
from node_cli.models.round_trip import round_trips
from node_cli.solving import SolveSpec, record_solves

TIGHT = SolveSpec(rtol=1e-10, atol=1e-12)
DOUBLE = {"dtype": torch.float64}


class Decay(nn.Module):
    """dy/dt = -y."""

    def forward(self, t, y):
        return -y


@pytest.mark.parametrize("steps", [1, 4, 50])
def test_of_euler_steps_the_error_is_known(steps):
    """There y(1 - h) in each step, and back y(1 + h)."""
    block = ODEBlock(Decay(), SolveSpec("euler", num_steps=steps))
    with round_trips(block) as errors:
        block(torch.tensor([[1.0, -2.0]], **DOUBLE))
    h = 1 / steps
    assert errors == [pytest.approx(1 - (1 - h * h) ** steps, abs=1e-12)]


@pytest.mark.parametrize("method", ["dopri5", "adams", "bosh3", "scipy-LSODA"])
@pytest.mark.parametrize("learn_time", [False, True])
def test_a_flow_that_is_solved_returns(method, learn_time):
    spec = SolveSpec(method, rtol=1e-8, atol=1e-10)
    solve = OdeSolve(spec, end_time=2.0, learn_time=learn_time)
    times = torch.tensor([0.0, 0.3, 1.0], **DOUBLE)
    with torch.no_grad(), round_trips(solve) as errors:
        solve(Decay(), torch.ones(3, 2, **DOUBLE), times)
        solve(Decay(), torch.ones(3, 2, **DOUBLE), times=(1.0, 0.0))
    assert len(errors) == 2
    assert max(errors) < 1e-6


def test_parts_that_start_at_zero_are_compared_with_their_end():
    """Of an integral that Euler's steps find half as large again on the way back."""
    solve = OdeSolve(SolveSpec("euler", num_steps=1))

    def with_clock(t, state):
        return torch.zeros_like(state[0]), 1 + t.expand_as(state[1])

    start = (torch.ones(2, **DOUBLE), torch.zeros(2, **DOUBLE))
    with round_trips(solve) as errors:
        solve(with_clock, start, (0.0, 1.0))
    assert errors == [pytest.approx(1.0)]  # to 1, and back to 1 - 2


def test_what_has_no_size_at_all_returns():
    solve = OdeSolve(TIGHT)
    with round_trips(solve) as errors:
        solve(Decay(), torch.zeros(2, **DOUBLE), (0.0, 1.0))
        solve(Decay(), torch.ones(2, **DOUBLE), (0.0,))  # goes nowhere
    assert errors == [0.0]


def test_a_way_back_that_cannot_be_solved_is_infinitely_long():
    solve = OdeSolve(SolveSpec("rk4", num_steps=2))

    class OneWay(nn.Module):
        turned = False

        def forward(self, t, y):
            self.turned = self.turned or float(t) >= 1.0
            return y * (math.nan if self.turned and float(t) < 1.0 else 1.0)

    with round_trips(solve) as errors:
        solve(OneWay(), torch.ones(2, **DOUBLE), (0.0, 1.0))
    assert errors == [math.inf]


def test_outside_of_the_block_nothing_is_solved_twice():
    block = ODEBlock(Decay(), SolveSpec("euler", num_steps=3))
    y = torch.ones(1, 1)
    with round_trips(block), record_solves() as inside:
        block(y)
    with record_solves() as outside:
        block(y)
    assert [stats.nfe_forward for stats in inside] == [3, 3]
    assert [stats.nfe_forward for stats in outside] == [3]


def test_crossing_trajectories_do_not_return():
    """One step of -2 sin(pi y / 2) carries 1 past 0, which lies on its way and stays."""
    field = nn.Module()
    field.forward = lambda t, y: -2.0 * torch.sin(math.pi / 2 * y)
    points = torch.tensor([[-1.0], [0.0], [1.0]], **DOUBLE)
    for steps, crosses in ((1, True), (100, False)):
        block = ODEBlock(field, SolveSpec("rk4" if steps > 1 else "euler", num_steps=steps))
        with round_trips(block) as errors:
            end = block(points)
        assert (end[2] < end[1]) == crosses
        assert (errors[0] > 0.01) == crosses
