"""The bouncing ball: its closed form, its observations and the model that learns it."""

from itertools import islice

import pytest
import torch
from scipy.integrate import solve_ivp

from node_cli.solving import record_solves
from node_cli.tasks.bouncing_ball.ball import Ball
from node_cli.tasks.bouncing_ball.flight import Flight
from node_cli.tasks.bouncing_ball.task import BouncingBall

FLIGHT = Flight(height=5.0, velocity=2.0, ground=0.3, gravity=9.81, restitution=0.8)


def test_the_closed_form_is_what_scipy_finds():
    def ground(t, y):
        return y[0] - FLIGHT.ground

    ground.terminal, ground.direction = True, -1
    at, state, times, heights = 0.0, (FLIGHT.height, FLIGHT.velocity), [], []
    for impact in islice(FLIGHT.impacts(), 5):
        found = solve_ivp(
            lambda t, y: (y[1], -FLIGHT.gravity), (at, at + 10), state, rtol=1e-11, atol=1e-12,
            events=ground, dense_output=True,
        )  # fmt: skip
        middle = (at + found.t[-1]) / 2
        times.append(middle)
        heights.append(found.sol(middle)[0])
        at, state = found.t[-1], (FLIGHT.ground, -FLIGHT.restitution * found.y[1, -1])
        assert impact.time == pytest.approx(at, rel=1e-9)
        assert impact.speed == pytest.approx(-found.y[1, -1], rel=1e-9)
    assert FLIGHT.heights(times) == pytest.approx(heights, rel=1e-9)
    assert len(FLIGHT.impacts_until(times[-1])) == 4


def task_of(config_of, *words):
    return BouncingBall(config_of("task=bouncing-ball", *words))


def true_ball(task, **settings):
    """A model with what is to be learned known."""
    data = task.config.data
    config = task.config.model.model_copy(
        update={"gravity": data.gravity, "restitution": data.restitution, **settings}
    )
    return Ball(config, data.height, data.velocity, data.ground, task.spec).double()


@pytest.mark.parametrize("words", ["solver=dopri5", "solver=rk4 solver.num_steps=50"])
def test_the_true_parameters_give_the_true_heights(config_of, words):
    task = task_of(config_of, *words.split(" "))
    data = task.config.data
    times = torch.tensor([3.0, 0.0, 7.9, 1.0, 3.0]).double()
    motion = true_ball(task)(times, data.horizon)
    heights = data.flight.heights(sorted(times.tolist()))
    ordered = [heights[i] for i in (2, 0, 4, 1, 3)]
    assert motion.heights.tolist() == pytest.approx(ordered, abs=1e-5)
    impacts = [impact.time for impact in data.flight.impacts_until(data.horizon)]
    assert motion.impacts.tolist() == pytest.approx(impacts, rel=1e-6)


def test_a_ball_comes_to_rest(config_of):
    task = task_of(config_of)
    ball = true_ball(task, restitution=0.3)
    motion = ball(torch.linspace(0, 8, 9).double())
    assert motion.heights[-1].item() == pytest.approx(0.0, abs=1e-6)
    assert 3 < len(motion.impacts) < 10
    motion.heights.sum().backward()
    assert torch.isfinite(ball.restitution_logit.grad)


def test_gradients_of_all_that_is_learned_are_finite_differences(config_of):
    task = task_of(config_of, "model.learn_ground=true", "tolerance=tight")
    ball = true_ball(task)
    times = torch.tensor([0.5, 2.0, 4.5, 7.0]).double()
    weights = torch.tensor([1.0, -2.0, 0.5, 1.5]).double()

    def number():
        return (ball(times).heights * weights).sum()

    number().backward()
    assert len(list(ball.parameters())) == len(ball.learned()) == 5
    for name, parameter in ball.named_parameters():
        with torch.no_grad():
            ends = []
            for change in (1e-5, -2e-5):
                parameter += change
                ends.append(float(number()))
            parameter += 1e-5
        assert parameter.grad.item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6), name


def test_observations_are_made_from_the_seed(config_of):
    parts = task_of(config_of).parts
    again = task_of(config_of).parts
    other = task_of(config_of, "seed=1").parts
    for part, same, different in zip(parts, again, other, strict=True):
        assert torch.equal(part.heights, same.heights)
        assert not torch.equal(part.times, different.times)
    train, validation, test = parts
    assert max(train.times.max(), validation.times.max()) <= 5.0 < test.times.max() <= 8.0
    assert (train.heights - train.truth).std().item() == pytest.approx(0.1, rel=0.2)
    silent = task_of(config_of, "data.noise=0").parts[0]
    assert torch.equal(silent.heights, silent.truth)


def test_the_window_opens_along_the_run(config_of):
    task = task_of(config_of)
    model, batch = task.build_model(), task.loaders(torch.device("cpu")).train.batch(0, 0)
    costs = []
    for progress in (0.0, 1.0):
        task.progress = progress
        with record_solves() as solves:
            loss, learned = task.loss(model, batch)
        costs.append(solves[0].nfe_forward)
        assert loss.requires_grad
    assert costs[0] < costs[1]
    assert set(learned) == {"gravity", "restitution", "height", "velocity"}


def test_the_errors_of_the_truth_are_none(config_of):
    task = task_of(config_of, "data.noise=0")
    with torch.no_grad():
        found = task.evaluate(true_ball(task).float(), task.loaders(torch.device("cpu")).test)
    for name in (
        "rmse_inside", "rmse_beyond", "impact_time_error", "gravity_error", "restitution_error",
    ):  # fmt: skip
        assert found[name] < 1e-4, name
    assert found["impacts_missed"] == 0
