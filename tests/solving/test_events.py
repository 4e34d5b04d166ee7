"""Events against closed solutions, SciPy and finite differences."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp
from solving.falling_ball import Ball, leaf, times
from solving.problems import Network
from torch import nn

import node_cli
from node_cli.errors import SolverError
from node_cli.models.ode_solve import OdeSolve, solved_as
from node_cli.solving import (
    SolveSpec,
    record_solves,
    solve,
    solve_with_events,
)
from node_cli.solving.failures import MemoryShortageError

MODES = ("direct", "full", "seminorm", "checkpointed")
ADAPTIVE = ("dopri5", "dopri8", "bosh3", "adams")
FIXED = ("midpoint", "heun3", "rk4", "implicit_midpoint", "explicit_adams", "implicit_adams")
TIGHT = SolveSpec(rtol=1e-10, atol=1e-10)


def spec_of(method, mode="direct", tolerance=1e-9):
    steps = {"num_steps": 200} if method in FIXED else {}
    return SolveSpec(method, tolerance, tolerance, adjoint=mode, **steps)


PAIRS = [
    (method, mode)
    for mode in MODES
    for method in (*ADAPTIVE, *FIXED)
    if mode == "direct"
    or (mode == "checkpointed" and "adams" not in method)
    or (mode in ("full", "seminorm") and method != "implicit_midpoint")
]


def same(found, expected, rtol=1e-8, atol=1e-10):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("method", "mode"), PAIRS)
def test_a_ball_falls_as_in_the_closed_form(method, mode):
    ball = Ball()
    event = ball.solve(times(0.0, 0.5, 3.0), spec_of(method, mode)).event
    ((time, speed),) = ball.impacts(1)
    found = (event.time, event.state[0], event.state[1])
    expected = (time, ball.ground, -speed)
    same(found, expected)
    weights = (1.0, 0.7, -0.3)  # so that all three take part in one gradient
    gradients = [
        torch.autograd.grad(
            sum(w * x for w, x in zip(weights, values, strict=True)), ball.leaves[:4]
        )
        for values in (found, expected)
    ]
    same(*gradients)


@pytest.mark.parametrize(("method", "mode"), PAIRS)
def test_a_ball_bounces_as_in_the_closed_form(method, mode):
    ball = Ball()
    t = times(0.0, 0.4, 1.0, 2.5, 3.1, 4.5)
    solution = ball.solve(t, spec_of(method, mode), ball.jump)
    closed = list(ball.impacts(5))
    arrived = [time for time, _ in closed if time < 4.5]
    assert len(solution.events) == len(arrived) == 3
    same([event.time for event in solution.events], arrived)
    heights = []
    for at in t:
        begun = [(time, ball.restitution * speed) for time, speed in closed if time < at]
        time, velocity = begun[-1] if begun else (torch.zeros(()), ball.velocity)
        height = ball.ground if begun else ball.height
        heights.append(height + velocity * (at - time) - ball.gravity * (at - time) ** 2 / 2)
    same((solution.values[:, 0],), (torch.stack(heights),))
    gradients = [
        torch.autograd.grad(values.square().sum() + last, ball.leaves)
        for values, last in (
            (solution.values[:, 0], solution.events[-1].time),
            (torch.stack(heights), arrived[-1]),
        )
    ]
    same(*gradients, rtol=1e-7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backwards", [False, True])
def test_decay_reaches_a_level(mode, backwards):
    """y = y0 exp(-k (t - t0)) is at c when t = t0 + log(y0 / c) / k."""
    y0, k, level = leaf(3.0), leaf(0.7), leaf(6.0 if backwards else 0.5)
    t = times(2.0, 1.5, -9.0) if backwards else times(2.0, 3.0, 9.0)
    event = solve_with_events(
        lambda t, y: -k * y, y0, t, spec_of("dopri5", mode, 1e-11), lambda t, y: y - level,
        parameters=(k,),
    ).event  # fmt: skip
    expected = 2.0 + torch.log(y0 / level) / k
    same((event.time, event.state), (expected, level))
    same(*(torch.autograd.grad(time, (y0, k, level)) for time in (event.time, expected)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["dopri5", "dopri8", "rk4"])
def test_gradients_are_finite_differences(mode, method):
    field, spec = Network(), spec_of(method, mode, 1e-11)
    inputs = [torch.tensor([[0.3, -0.4]]).double(), torch.tensor(0.35).double()]

    def found(start, level):
        return solve_with_events(
            field, start, times(0.0, 0.2, 4.0), spec,
            lambda t, y: (y * y.flip(1)).sum() - level * torch.sin(1 + t),
        ).event  # fmt: skip

    def number(start, level):
        event = found(start, level)
        return event.time + event.state.sum()

    with torch.no_grad():
        differences = []
        for values in inputs:
            for place in range(values.numel()):
                ends = []
                for sign in (1, -1):
                    moved = values.clone()
                    moved.view(-1)[place] += sign * 1e-5
                    given = [moved if x is values else x for x in inputs]
                    ends.append(float(number(*given)))
                differences.append((ends[0] - ends[1]) / 2e-5)
        weight = field.layers[0].weight
        ends = []
        for change in (1e-5, -2e-5):
            weight[0, 0] += change
            ends.append(float(number(*inputs)))
        weight[0, 0] += 1e-5
        differences.append((ends[0] - ends[1]) / 2e-5)
    leaves = [x.clone().requires_grad_() for x in inputs]
    by_start, by_level, by_weight = torch.autograd.grad(number(*leaves), (*leaves, weight))
    gradient = torch.stack((*by_start.view(-1), by_level, by_weight[0, 0]))
    torch.testing.assert_close(gradient, times(*differences), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("method", ["dopri5", "dopri8", "adams", "rk4"])
def test_all_events_of_a_pendulum_are_those_of_scipy(method, backwards):
    """Two events, met again and again: the jump leaves the state as it is."""
    end = -8.0 if backwards else 8.0

    def pendulum(t, y):
        return torch.stack((y[1], -torch.sin(y[0]) - 0.1 * y[1]))

    spec = SolveSpec(method, 1e-10, 1e-10, num_steps=2000 if method == "rk4" else None)
    solution = solve_with_events(
        pendulum, times(1.0, 0.5), times(0.0, end), spec,
        lambda t, y: torch.stack((y[0], y[1] - 0.1 * t)), lambda t, y: y,
    )  # fmt: skip
    truth = solve_ivp(
        lambda t, y: (y[1], -math.sin(y[0]) - 0.1 * y[1]), (0.0, end), (1.0, 0.5), rtol=1e-12,
        atol=1e-12, events=(lambda t, y: y[0], lambda t, y: y[1] - 0.1 * t), method="DOP853",
    )  # fmt: skip
    for which, expected in enumerate(truth.t_events):
        found = [float(event.time) for event in solution.events if event.which == which]
        assert len(expected) >= 2
        assert found == pytest.approx(list(expected), abs=1e-7)
    torch.testing.assert_close(
        solution.values[-1], torch.from_numpy(truth.y[:, -1]), rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("method", ["dopri5", "dopri8", "rk4"])
def test_values_are_those_before_the_event(method):
    def field(t, y):
        return -y * torch.cos(t)

    t, y0 = times(0.0, 0.1, 0.3, 0.3, 0.8, 2.0), times(1.0, 0.5)
    spec = spec_of(method)
    solution = solve_with_events(field, y0, t, spec, lambda t, y: y[0] - 0.6)
    assert 0.3 < solution.event.time < 0.8
    assert solution.values.shape == (4, 2)
    torch.testing.assert_close(solution.values, solve(field, y0, t[:4], spec).values)
    assert not solution.event.time.requires_grad


def test_the_first_of_several_events_says_which_it_is():
    levels = times(0.2, 0.6, 0.5)
    event = solve_with_events(
        lambda t, y: -y, times(1.0), times(0.0, 5.0), TIGHT, lambda t, y: y - levels
    ).event
    assert event.which == 1
    assert float(event.time) == pytest.approx(-math.log(0.6))


class Oscillator(nn.Module):
    """dq/dt = p, dp/dt = -k q, with its halves."""

    def __init__(self):
        super().__init__()
        self.stiffness = nn.Parameter(torch.tensor(4.0).double())

    def velocity(self, t, p):
        return p

    def force(self, t, q):
        return -self.stiffness * q

    def forward(self, t, y):
        return torch.cat((y[1:], -self.stiffness * y[:1]))


@pytest.mark.parametrize("mode", ["direct", "checkpointed"])
@pytest.mark.parametrize("method", ["leapfrog", "yoshida4"])
def test_a_splitting_method(method, mode):
    """q = cos(w t) is at zero when t = pi / (2 w), w = sqrt(k)."""
    field = Oscillator()
    spec = SolveSpec(method, adjoint=mode, num_steps=1000)
    start = times(1.0, 0.0)
    event = solve_with_events(field, start, times(0.0, 1.0), spec, lambda t, y: y[0]).event
    event.time.backward()
    assert event.time.item() == pytest.approx(math.pi / 4, rel=1e-5)
    assert field.stiffness.grad.item() == pytest.approx(-math.pi / 32, rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_a_tuple_of_states(mode):
    ball = Ball()
    solution = solve_with_events(
        lambda t, y: (y[1], -ball.gravity.expand(1)), (ball.height.view(1), ball.velocity.view(1)),
        times(0.0, 1.0, 3.0), spec_of("dopri5", mode), lambda t, y: y[0] - ball.ground,
        lambda t, y: (y[0], -ball.restitution * y[1]), (ball.gravity,),
    )  # fmt: skip
    (first, _), (second, _) = ball.impacts(2)
    same([event.time for event in solution.events], (first, second))
    height, velocity = solution.values
    assert height.shape == velocity.shape == (3, 1)
    gradients = torch.autograd.grad(solution.events[1].time, ball.leaves)
    same(gradients, torch.autograd.grad(second, ball.leaves))


@pytest.mark.parametrize("mode", MODES)
def test_single_precision(mode):
    ball = Ball(torch.float32)
    solution = ball.solve(times(0.0, 4.5, dtype=torch.float32), SolveSpec(adjoint=mode), ball.jump)
    arrived = [time for time, _ in ball.impacts(3)]
    same([event.time for event in solution.events], arrived, rtol=1e-5)
    last = solution.events[-1].time
    same(
        torch.autograd.grad(last, ball.leaves),
        torch.autograd.grad(arrived[-1], ball.leaves),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("height", [0.0, -1e-17, 1e-17])
def test_a_ball_leaves_the_ground_on_which_it_starts(height):
    event = solve_with_events(
        lambda t, y: torch.stack((y[1], -torch.ones(()).double())), times(height, 3.0),
        times(0.0, 10.0), TIGHT, lambda t, y: y[0],
    ).event  # fmt: skip
    assert float(event.time) == pytest.approx(6.0)


def test_two_events_within_a_step_are_seen_at_output_times():
    def zero(t, y):
        return torch.zeros_like(y)

    def event(t, y):
        return (t - 51.0).square() - 1.0 + y[0]

    few = solve_with_events(zero, times(0.0), times(0.0, 100.0), TIGHT, event)
    assert few.events == ()
    many = torch.linspace(0, 100, 101, dtype=torch.float64)
    found = solve_with_events(zero, times(0.0), many, TIGHT, event)
    assert float(found.event.time) == pytest.approx(50.0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["dopri5", "dopri8", "rk4"])
def test_counts_are_those_of_the_field_itself(method, mode):
    field = Network()
    y0 = times(0.3, -0.4).view(1, 2).requires_grad_()
    with record_solves() as solves:
        solution = solve_with_events(
            field, y0, times(0.0, 3.0), spec_of(method, mode, 1e-6),
            lambda t, y: y.sum() - 1.0, lambda t, y: y - 0.5,
        )  # fmt: skip
    assert len(solution.events) >= 1
    assert solves == [solution.stats]
    assert (solution.stats.nfe_forward, solution.stats.nfe_backward) == (field.calls, 0)
    forward = field.calls
    solution.values.sum().backward()
    assert solution.stats.nfe_forward == forward
    assert solution.stats.nfe_backward == field.calls - forward


def test_limits_hold_for_the_whole():
    ball = Ball()
    with pytest.raises(SolverError, match=r"solver\.max_nfe=40"):
        ball.solve(times(0.0, 4.0), SolveSpec(max_nfe=40), ball.jump)
    ball.solve(times(0.0, 1.5), SolveSpec(max_nfe=40), ball.jump)
    with pytest.raises(MemoryShortageError, match=r"solver\.max_saved_bytes=100"):
        ball.solve(times(0.0, 4.0), SolveSpec(max_saved_bytes=100), ball.jump)


def test_times_get_no_gradient():
    ball = Ball()
    first = ball.solve(times(0.0, 3.0), TIGHT).event.time
    with pytest.raises(ValueError, match="to go on from an event, give a jump"):
        ball.solve(torch.stack((first, first + 1)), TIGHT)
    with pytest.raises(ValueError, match="the times get no gradient"):
        node_cli.solve(lambda t, y: -y, torch.ones(()), [first, 9.0])


def test_from_a_notebook():
    solution = node_cli.solve(
        lambda t, y: -y, torch.ones(()), [0.0, 0.1, 2.0], event=lambda t, y: y - 0.5, rtol=1e-6
    )
    assert float(solution.event.time) == pytest.approx(math.log(2), rel=1e-4)
    assert len(solution.values) == 2
    grown = node_cli.solve(
        lambda t, y: -y, torch.ones(()), [0.0, 2.0], event=lambda t, y: y - 0.5,
        jump=lambda t, y: 2 * y, rtol=1e-6, atol=1e-6,
    )  # fmt: skip
    assert len(grown.events) == 2
    assert float(grown.values[-1]) == pytest.approx(4 * math.exp(-2), rel=1e-4)
    with pytest.raises(ValueError, match="a jump comes at an event"):
        node_cli.solve(lambda t, y: -y, torch.ones(()), [0.0, 2.0], jump=lambda t, y: y)


def test_a_model_solves_by_the_settings_of_its_run():
    module = OdeSolve(SolveSpec("euler", num_steps=4), end_time=2.0)

    def found():
        return float(
            module.with_events(
                lambda t, y: -y, torch.ones(1), (0.0, 1.0), lambda t, y: y - 0.5, parameters=()
            ).event.time
        )

    assert found() == pytest.approx(0.5)  # one step of 0.5 down to 0.5
    with solved_as(module, lambda _: TIGHT):
        assert found() == pytest.approx(math.log(2), rel=1e-5)
    learned = OdeSolve(TIGHT, 2.0, learn_time=True)
    with pytest.raises(ValueError, match="do not go with a learned T"):
        learned.with_events(lambda t, y: -y, torch.ones(1), (0.0, 1.0), lambda t, y: y - 0.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", ["dopri5", "rk4"])
@pytest.mark.parametrize("end", [3.0, -3.0])
def test_a_point_comes_out_of_a_corner(dtype, method, end):
    """Of two walls that are met at one time, each jump turns the velocity at one."""

    def move(t, y):
        return torch.cat((y[2:], torch.zeros_like(y[2:])))

    def turned(t, y):
        leaves = y[2:] * speed < 0
        met = 2 + (y[:2] + 10 * leaves).argmin()
        return y * (1 - 2 * torch.nn.functional.one_hot(met, 4))

    speed = -1.0 if end > 0 else 1.0
    start = torch.tensor([1.0, 1.0, speed, speed], dtype=dtype)
    step = 0.3 if method == "rk4" else None
    solution = node_cli.solve(
        move, start, [0.0, end], event=lambda t, y: y[:2], jump=turned, method=method,
        step_size=step,
    )  # fmt: skip
    assert sorted(event.which for event in solution.events) == [0, 1]
    torch.testing.assert_close(
        solution.values[-1], torch.tensor([2.0, 2.0, -speed, -speed], dtype=dtype)
    )
