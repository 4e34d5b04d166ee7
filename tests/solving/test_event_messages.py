"""What is said of events that do not come, graze, or cannot be looked for."""

import math

import pytest
import torch
from solving.falling_ball import Ball, leaf, times

import node_cli
from node_cli.errors import SolverError
from node_cli.solving import NoEventError, SolveSpec, solve_with_events

TIGHT = SolveSpec(rtol=1e-10, atol=1e-10)


def test_an_event_that_never_comes_is_told():
    ball = Ball()
    solution = ball.solve(times(0.0, 0.2, 0.5), TIGHT)
    assert solution.events == ()
    assert solution.values.shape == (3, 2)
    with pytest.raises(NoEventError, match=r"between t = 0 and t = 0.5: .* is 4.47375 at the end"):
        _ = solution.event


def test_a_state_that_never_leaves_the_root_is_told():
    solution = solve_with_events(
        lambda t, y: torch.zeros_like(y), times(0.0), times(0.0, 1.0), TIGHT, lambda t, y: y
    )
    with pytest.raises(NoEventError, match="is zero at the start and stays so"):
        _ = solution.event


def test_a_root_without_a_change_of_sign_is_no_event():
    """x = (t - 1)^2 + 1e-4 comes near, and goes again."""
    solution = solve_with_events(
        lambda t, x: 2 * (t - 1), times(1.0001)[0], times(0.0, 3.1), TIGHT, lambda t, x: x
    )
    assert solution.events == ()


@pytest.mark.parametrize("mode", ["direct", "full", "seminorm", "checkpointed"])
def test_a_grazing_root_has_no_gradient(mode):
    """x = x0 + (t - 1)^3 + 1 with x0 = -1 arrives at zero with slope zero."""
    start = leaf(-1.0)
    event = solve_with_events(
        lambda t, x: 3 * (t - 1).square() + 0 * x, start, times(0.0, 2.1),
        SolveSpec(rtol=1e-9, atol=1e-9, adjoint=mode), lambda t, x: x,
    ).event  # fmt: skip
    assert float(event.time.detach()) == pytest.approx(1.0, abs=2e-2)
    with pytest.raises(SolverError, match="only grazes zero there"):
        event.time.backward()


def hold(t, y):
    return torch.zeros_like(y) + 1.0


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (lambda t, y: y.sum() * math.nan, "gave nan at t = 0"),
        (lambda t, y: y[0] / (t < 0.5), "must give finite numbers wherever the solver looks"),
        (lambda t, y: y.view(1, 2), "gave a tensor of shape \\[1, 2\\] and float64; it must give"),
        (lambda t, y: y[:0], "shape \\[0\\]"),
        (lambda t, y: 1.0, "an object of type float"),
        (lambda t, y: y[0] > 0, "and bool"),
        (lambda t, y: y if t < 0.5 else y[0], "2 events first and 1 at t ="),
    ],
)
def test_an_event_function_that_gives_something_else(event, told):
    with pytest.raises(SolverError, match=told) as raised:
        solve_with_events(hold, times(1.0, 2.0), times(0.0, 1.0), TIGHT, event)
    assert "test_event_messages.py" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    "jump", [lambda t, y: y[0], lambda t, y: None, lambda t, y: y.float(), lambda t, y: (y, y)]
)
def test_a_jump_that_gives_something_else(jump):
    with pytest.raises(SolverError, match=r"the jump gave .* of the same shape and dtype"):
        solve_with_events(
            hold, times(1.0, 2.0), times(0.0, 1.0), TIGHT, lambda t, y: y[0] - 1.5, jump
        )


def test_events_without_end_are_told():
    ball = Ball()
    with pytest.raises(SolverError, match="more than max_events=20 events up to"):
        solve_with_events(
            ball.field, ball.start, times(0.0, 50.0), TIGHT, ball.event, ball.jump, max_events=20
        )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"method": "scipy-RK45", "adjoint": "full"}, "not scipy-RK45"),
        ({"backend": "torchdiffeq"}, "not backend=torchdiffeq"),
    ],
)
def test_solvers_that_know_no_events(change, told):
    with pytest.raises(ValueError, match=f"events need our own solvers, .* {told}"):
        solve_with_events(
            hold, times(1.0), times(0.0, 1.0), SolveSpec(**change), lambda t, y: y - 2
        )


@pytest.mark.parametrize("power", [9, 21])
def test_a_root_that_is_flat_is_found(power):
    solution = solve_with_events(
        lambda t, y: torch.zeros_like(y), times(0.0), times(0.0, 4.0), TIGHT,
        lambda t, y: (t - 1) ** power,
    )  # fmt: skip
    assert float(solution.event.time) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("y0", [torch.tensor([1, 0]), [1.0, 0.0], 1.0, (), None])
def test_a_state_of_another_kind_is_told(y0):
    with pytest.raises(ValueError, match="y0 must be a tensor of floating-point numbers"):
        node_cli.solve(lambda t, y: -y, y0, [0.0, 1.0])


def test_a_number_without_a_tensor_is_told():
    with pytest.raises(SolverError, match="type float; it must give a tensor of one"):
        node_cli.solve(
            lambda t, y: -y, torch.ones(1), [0.0, 1.0], event=lambda t, y: float(y) - 0.5
        )
