"""Backward steps of the adjoint over several output times at once."""

from dataclasses import replace

import pytest
import torch
from solving.problems import Linear, Network

from node_cli.methods import METHODS
from node_cli.solving import SolveSpec, compilation, solve
from node_cli.solving.counted_field import CountedField
from node_cli.solving.runge_kutta import RungeKutta
from node_cli.solving.spec import BackwardSpec

MODES = ("full", "seminorm")


def times(end, count):
    return torch.linspace(0.0, end, count, dtype=torch.float64)


def start():
    return torch.tensor([[0.5, -1.0], [0.1, 0.2]], dtype=torch.float64, requires_grad=True)


def weights(t):
    """Of the values in the loss, so that the jumps of the adjoint are of both signs."""
    draw = torch.Generator().manual_seed(1)
    return torch.randn((len(t), 2, 2), generator=draw, dtype=torch.float64)


def gradients(spec, t, field=None):
    field, y0 = field or Network(), start()
    solution = solve(field, y0, t, spec)
    loss = (solution.values.square() * weights(t)).sum()
    return torch.autograd.grad(loss, (y0, *field.parameters())), solution.stats


def relative_errors(found, true):
    return [float((a - b).norm() / b.norm()) for a, b in zip(found, true, strict=True)]


FORWARDS = times(4.0, 200)
TIMES = {
    "forwards": FORWARDS,
    "backwards": FORWARDS.flip(0),
    "twice": FORWARDS.repeat_interleave(2),
    "uneven": torch.cat((times(1.0, 60), times(3.0, 3)[1:] + 1.0, times(1.0, 40)[1:] + 4.0)),
}


@pytest.fixture(scope="module")
def exact():
    spec = SolveSpec(rtol=1e-12, atol=1e-12)
    return {name: gradients(spec, t)[0] for name, t in TIMES.items()}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(
    ("method", "tolerance"), [("dopri5", 1e-4), ("dopri5", 1e-9), ("bosh3", 1e-6)]
)
def test_gradients_are_as_accurate_as_asked(exact, mode, name, method, tolerance):
    spec = SolveSpec(method, tolerance, tolerance, adjoint=mode)
    found, stats = gradients(spec, TIMES[name])
    assert max(relative_errors(found, exact[name])) < 20 * tolerance
    # Without steps over outputs there would be one at least for each.
    assert mode == "full" or stats.backward_steps_accepted < len(set(TIMES[name].tolist())) - 1


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_of_a_linear_system_is_that_of_its_closed_solution(mode):
    field, t = Linear(), times(5.0, 100)
    found, stats = gradients(SolveSpec(rtol=1e-6, atol=1e-6, adjoint=mode), t, field)
    matrix, y0 = field.matrix.detach().clone().requires_grad_(), start()
    values = y0 @ torch.linalg.matrix_exp(t[:, None, None] * matrix).mT
    true = torch.autograd.grad((values.square() * weights(t)).sum(), (y0, matrix))
    assert max(relative_errors(found, true)) < 1e-5
    assert stats.backward_steps_accepted < 90


@pytest.mark.parametrize("mode", MODES)
def test_the_cost_does_not_grow_with_the_outputs(mode):
    spec = SolveSpec(rtol=1e-5, atol=1e-5, adjoint=mode)
    counts = []
    for outputs in (50, 200, 800):
        t, field = times(2.0, outputs), Network()
        found, stats = gradients(spec, t, field)
        assert len(found) == 5
        assert stats.nfe_forward + stats.nfe_backward == field.calls
        counts.append(stats.nfe_backward)
    assert max(counts) < 2 * min(counts)


@pytest.mark.usefixtures("traced_only")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("method", "tolerance"), [("dopri5", 1e-5), ("bosh3", 1e-4), ("adaptive_heun", 1e-2)]
)
def test_a_graph_takes_the_same_steps(mode, method, tolerance):
    """A method with a middle, one without and one whose last stage is not the next first one."""
    spec = SolveSpec(method, tolerance, tolerance, adjoint=mode)
    plain, counted = gradients(spec, TIMES["twice"])
    found, stats = gradients(replace(spec, compile="step"), TIMES["twice"])
    assert compilation.done.refused == {}
    assert vars(stats) == vars(counted)
    for a, b in zip(found, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


def test_outputs_far_apart_are_solved_for_one_by_one():
    t = times(40.0, 5)
    spec = SolveSpec(rtol=1e-6, atol=1e-6, adjoint="full")
    _, stats = gradients(spec, t)
    assert stats.nfe_backward == (
        2 + 3 + 6 * (stats.backward_steps_accepted + stats.backward_steps_rejected)
    )


def test_a_step_that_was_too_long_is_thrown_away():
    def bend(t, y):
        return torch.tanh(40.0 * (t - 0.3)) * y.tanh()

    t = times(1.0, 300)
    found = {}
    for mode in ("direct", "full"):
        spec = SolveSpec(rtol=1e-7, atol=1e-7, adjoint=mode)
        if mode == "direct":
            spec = replace(spec, rtol=1e-12, atol=1e-12)
        y0 = start()
        solution = solve(bend, y0, t, spec)
        (found[mode],) = torch.autograd.grad(solution.values.sum(), y0)
    assert solution.stats.backward_steps_rejected > 0
    torch.testing.assert_close(found["full"], found["direct"], rtol=1e-5, atol=1e-5)


def test_a_tuple_and_parameters_that_are_not_used():
    field = Linear()

    def pair(t, y):
        return y[0] @ field.matrix.T, y[1] * 0.0 + 1.0

    spare = torch.ones(3, dtype=torch.float64, requires_grad=True)
    t = times(1.0, 50)
    found = []
    for mode in ("direct", "full", "seminorm"):
        state = (start(), torch.zeros(3, dtype=torch.float64, requires_grad=True))
        spec = SolveSpec(rtol=1e-9, atol=1e-9, adjoint=mode)
        first, second = solve(pair, state, t, spec, (field.matrix, spare)).values
        loss = first.square().sum() + second.sum()
        found.append(torch.autograd.grad(loss, (*state, field.matrix)))
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)


def test_a_field_that_leads_to_nothing_has_no_gradient_of_its_own():
    y0, t = start(), times(1.0, 30)
    values = solve(lambda t, y: torch.ones_like(y), y0, t, SolveSpec(adjoint="full")).values
    (found,) = torch.autograd.grad(values.sum(), y0)
    torch.testing.assert_close(found, torch.full_like(y0, 30.0))


def test_a_solver_of_its_own_without_dense_output_ends_a_step_at_each_output():
    spec = SolveSpec(adjoint="full", backward=BackwardSpec(method="dopri8"))
    _, stats = gradients(spec, FORWARDS)
    assert stats.backward_steps_accepted >= len(FORWARDS) - 1


@pytest.mark.parametrize("method", ["dopri5", "bosh3"])
def test_the_defect_tells_the_largest_error_inside_of_a_step(method):
    # The slope is a polynomial, of which the stages know all but the last power of the solution.
    power = 5 if METHODS[method].tableau.dense == "quartic" else 4

    def polynomial(t, y):
        return power * t ** (power - 1) + 0.0 * y

    y0 = torch.zeros(1, dtype=torch.float64)
    field = CountedField(polynomial, y0)
    stepper = RungeKutta(METHODS[method])
    step = stepper.step(field, 0.0, 2.0, y0, stepper.init(field, 0.0, y0))
    inside = times(2.0, 201)[1:-1]
    errors = step.values(inside.tolist())[:, 0] - inside**power
    # Of a method whose end is off too the defect tells that as well.
    assert 0.8 < abs(float(step.defect())) / float(errors.abs().max()) < 1.3
