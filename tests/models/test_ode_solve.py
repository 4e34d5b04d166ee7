import math

import pytest
import torch
from torch import nn

from node_cli.models.ode_solve import OdeSolve, solve_as, solved_as, solving_modules
from node_cli.solving import SolveSpec
from node_cli.tasks.registry import find_task

TIGHT = SolveSpec(rtol=1e-9, atol=1e-11)
DOUBLE = {"dtype": torch.float64}


class Decay(nn.Module):
    """dy/dt = -k t y, whose solution is exp(-k t^2 / 2)."""

    def __init__(self, rate=1.0):
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(rate, **DOUBLE))

    def forward(self, t, y):
        return -self.rate * t * y


def closed(t, rate=1.0):
    return math.exp(-rate * t * t / 2)


@pytest.mark.parametrize("learn_time", [False, True])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_times_are_in_units_of_the_interval(learn_time, as_tensor):
    places = (0.0, 0.25, 1.0)
    times = torch.tensor(places, **DOUBLE) if as_tensor else places
    solve = OdeSolve(TIGHT, end_time=2.0, learn_time=learn_time)
    values = solve(Decay(), torch.ones(1, **DOUBLE), times)
    expected = torch.tensor([closed(2.0 * place) for place in places], **DOUBLE).unsqueeze(1)
    # T is kept as the exponential of a single-precision parameter.
    torch.testing.assert_close(values, expected, rtol=1e-6, atol=1e-8)
    assert solve.end_time == pytest.approx(2.0)


@pytest.mark.parametrize("adjoint", ["direct", "full", "seminorm", "checkpointed"])
def test_a_tuple_of_states_has_the_gradient_of_a_learned_interval(adjoint):
    solve = OdeSolve(SolveSpec(rtol=1e-9, atol=1e-11, adjoint=adjoint), 2.0, learn_time=True)
    solve = solve.double()
    field = Decay(0.7)

    def both(t, state):
        return field(t, state[0]), torch.ones_like(state[1])

    start = (torch.ones(1, **DOUBLE), torch.zeros(1, **DOUBLE))
    state, clock = solve(both, start, (0.0, 1.0), field.parameters())
    torch.testing.assert_close(clock[-1], torch.tensor([2.0], **DOUBLE), rtol=1e-7, atol=0)
    (state[-1] + clock[-1]).sum().backward()
    y = closed(2.0, 0.7)
    # By log T: T (dy/dT + 1) with dy/dT = -k T y; by k: -T^2 / 2 y.
    assert solve.log_time.grad.item() == pytest.approx(2.0 * (1 - 0.7 * 2.0 * y), rel=1e-6)
    assert field.rate.grad.item() == pytest.approx(-2.0 * y, rel=1e-6)


def test_a_spec_is_changed_for_good_or_for_a_while():
    model = nn.ModuleList([OdeSolve(TIGHT), nn.Linear(1, 1), OdeSolve(TIGHT)])
    loose = SolveSpec(rtol=0.1)
    with solved_as(model, lambda _: loose):
        assert [module.spec for module in solving_modules(model)] == [loose, loose]
    assert [module.spec for module in solving_modules(model)] == [TIGHT, TIGHT]
    solve_as(model, lambda _: loose)
    assert [module.spec for module in solving_modules(model)] == [loose, loose]


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        ("model=odenet", 1),
        ("model=resnet", 0),
        ("task=cnf-2d model.flows=3", 3),
        ("task=latent-spirals", 1),
        ("task=latent-spirals model.encoder=ode-rnn", 2),
        ("task=latent-spirals model=ode-rnn", 1),
        ("task=latent-spirals model=rnn", 0),
        ("task=bouncing-ball", 1),
    ],
)
def test_every_solve_of_our_models_can_be_found(config_of, overrides, count):
    config = config_of(*overrides.split())
    model = find_task(config.task.name)(config).build_model()
    assert len(solving_modules(model)) == count
    assert config.model.solves_an_ode == (count > 0)


def test_a_state_of_half_precision_is_solved_in_single_precision():
    half = torch.full((3, 2), 0.5, dtype=torch.bfloat16)
    solve = OdeSolve(SolveSpec(rtol=1e-5, atol=1e-6))
    values = solve(lambda t, y: -y, half, (0.0, 1.0))
    torch.testing.assert_close(values[-1], torch.full((3, 2), 0.5 * math.exp(-1)))
    parts = solve(lambda t, state: (-state[0], -state[1]), (half, half), (0.0, 1.0))
    assert [part.dtype for part in parts] == [torch.float32] * 2
