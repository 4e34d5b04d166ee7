import pytest
import torch

from node_cli.solving.grid import equal_step_grid, steps_between


@pytest.mark.parametrize(
    ("span", "step", "steps"),
    [(1.0, 0.1, 10), (1.0, 0.3, 4), (-1.0, 0.25, 4), (0.7, 0.1, 7), (1.0, 1.0, 1), (0.1, 1.0, 1)],
)
def test_fewest_equal_steps_that_fit(span, step, steps):
    assert steps_between(span, step) == steps


@pytest.mark.parametrize("times", [[0.0, 0.37, 1.0], [1.0, 0.37, 0.0], [-2.0, 3.0]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_grid_meets_every_output_time_and_keeps_to_the_step(times, dtype):
    t = torch.tensor(times, dtype=dtype)
    grid = equal_step_grid(0.1)(None, None, t)
    assert set(t.tolist()) <= set(grid.tolist())
    steps = grid.diff()
    assert (steps * (t[-1] - t[0]).sign() > 0).all()
    assert steps.abs().max() <= 0.1 + 1e-6


@pytest.mark.parametrize(
    ("span", "step", "count"), [(0.3, 0.01, 30), (1.1, 0.01, 110), (0.3, 1e-3, 300)]
)
def test_rounding_of_float32_adds_no_step(span, step, count):
    assert steps_between(float(torch.tensor(span)), step) == count
