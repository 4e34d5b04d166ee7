"""What the ways to gradients cost and keep, and how they agree."""

import math
from dataclasses import replace

import pytest
import torch
from solving.problems import Linear, Network

from node_cli.errors import SolverError
from node_cli.memory import SavedBytes
from node_cli.solving import SolveSpec, solve
from node_cli.solving.spec import BackwardSpec


def start():
    return torch.tensor([[0.5, -1.0], [0.1, 0.2]], dtype=torch.float64, requires_grad=True)


def gradients(field, spec, t):
    y0 = start()
    solution = solve(field, y0, t, spec)
    found = torch.autograd.grad(solution.values.square().sum(), (y0, *field.parameters()))
    return found, solution.stats


MANY = torch.linspace(0, 2, 100, dtype=torch.float64)


@pytest.mark.parametrize("times", [[0.0, 1.0], [0.0, 0.2, 0.25, 1.0], [1.0, 0.6, 0.0]])
@pytest.mark.parametrize(
    "spec",
    [
        *(SolveSpec(method=m) for m in ("dopri5", "dopri8", "bosh3", "adaptive_heun", "fehlberg2")),
        *(
            SolveSpec(method=m, step_size=0.3)
            for m in ("euler", "midpoint", "heun2", "heun3", "rk4")
        ),
    ],
    ids=lambda spec: spec.method,
)
def test_checkpointed_gradients_are_those_of_direct_backpropagation(spec, times):
    field, t = Network(), torch.tensor(times, dtype=torch.float64)
    direct, _ = gradients(field, spec, t)
    replayed, _ = gradients(field, replace(spec, adjoint="checkpointed"), t)
    for a, b in zip(direct, replayed, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_checkpointed_replays_accepted_steps_only():
    def bend(t, y):
        return torch.tanh(100.0 * (t - 0.5)) * y

    y0 = torch.ones(2, dtype=torch.float64, requires_grad=True)
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    solution = solve(bend, y0, t, SolveSpec(rtol=1e-5, atol=1e-5, adjoint="checkpointed"))
    solution.values[-1].sum().backward()
    stats = solution.stats
    assert stats.steps_rejected > 0
    # The last of dopri5's seven stages gives the error alone, and is not needed again.
    assert stats.nfe_backward == 6 * stats.steps_accepted


@pytest.mark.parametrize("mode", ["direct", "full", "seminorm", "checkpointed"])
@pytest.mark.parametrize("method", ["dopri5", "bosh3", "adaptive_heun", "dopri8"])
def test_counts_are_those_of_the_field_itself(mode, method):
    field = Network()
    y0 = start()
    t = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    solution = solve(field, y0, t, SolveSpec(method=method, adjoint=mode))
    forward = field.calls
    assert (solution.stats.nfe_forward, solution.stats.nfe_backward) == (forward, 0)
    solution.values.square().sum().backward()
    assert solution.stats.nfe_forward == forward
    assert solution.stats.nfe_backward == field.calls - forward
    assert (solution.stats.nfe_backward == 0) == (mode == "direct")


def kept_bytes(field, spec, t):
    saved = SavedBytes(field)
    y0 = start()
    with saved.measure():
        solution = solve(field, y0, t, spec)
        kept = saved.bytes_now()
    return kept, solution


def test_what_custom_functions_keep_is_counted():
    field, state = Network(), start().numel() * 8
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = SolveSpec(method="rk4", num_steps=10)
    full, _ = kept_bytes(field, replace(spec, adjoint="full"), t)
    replayed, _ = kept_bytes(field, replace(spec, adjoint="checkpointed"), t)
    # The adjoint keeps the values at the two times; checkpointing the state before each step.
    assert full == 2 * state
    assert replayed == 10 * state


def test_memory_grows_with_the_steps_where_it_should():
    field = Network()
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    kept = {
        mode: [
            kept_bytes(field, SolveSpec(method="rk4", num_steps=n, adjoint=mode), t)[0]
            for n in (8, 16, 32)
        ]
        for mode in ("direct", "full", "seminorm", "checkpointed")
    }
    assert kept["full"][0] == kept["full"][1] == kept["full"][2] == kept["seminorm"][2]
    for mode in ("direct", "checkpointed"):
        eight, sixteen, thirty_two = kept[mode]
        assert thirty_two - sixteen == 2 * (sixteen - eight) > 0
    assert kept["checkpointed"][2] < kept["direct"][2] / 10


def test_rejected_steps_are_not_kept():
    def bend(t, y):
        return torch.tanh(100.0 * (t - 0.5)) * y.tanh()

    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    y0 = torch.ones(1000, dtype=torch.float64, requires_grad=True)
    saved = SavedBytes(torch.nn.Identity())
    with saved.measure():
        solution = solve(bend, y0, t, SolveSpec(rtol=1e-5, atol=1e-5))
        kept = saved.bytes_now()
    stats = solution.stats
    assert stats.steps_rejected > 0
    # An evaluation keeps the output of tanh (and a scalar); six stages a step and the first slope.
    evaluations = 6 * stats.steps_accepted + 1
    assert kept == pytest.approx(evaluations * 8000, rel=0.02)


@pytest.mark.parametrize("mode", ["full", "seminorm"])
def test_the_backward_solve_carries_its_step_across_output_times(mode):
    backward = BackwardSpec(method="dopri8")  # has no values inside of steps
    spec = SolveSpec(rtol=1e-6, atol=1e-6, adjoint=mode, backward=backward)
    ours, stats = gradients(Network(), spec, MANY)
    theirs, reference = gradients(Network(), replace(spec, backend="torchdiffeq"), MANY)
    # One evaluation begins an interval and twelve make a step, of which each takes one here; a
    # solver that starts anew chooses its first step anew too, and often too short.
    assert stats.nfe_backward == 1 + 13 * 99
    assert reference.nfe_backward >= 14 * 99
    exact, _ = gradients(Network(), SolveSpec(rtol=1e-11, atol=1e-11), MANY)
    for mine, other, true in zip(ours, theirs, exact, strict=True):
        torch.testing.assert_close(mine, true, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(other, true, rtol=1e-4, atol=1e-4)


def test_checkpointed_does_not_pay_for_output_times():
    few = torch.tensor([0.0, 2.0], dtype=torch.float64)
    spec = SolveSpec(rtol=1e-6, atol=1e-6, adjoint="checkpointed")
    _, with_few = gradients(Network(), spec, few)
    _, with_many = gradients(Network(), spec, MANY)
    assert with_many.nfe_forward == with_few.nfe_forward
    # Where values are found inside a step, its last slope is needed too.
    assert with_many.nfe_backward == 7 * with_many.steps_accepted


def test_the_backward_solve_can_have_its_own_solver_and_tolerance():
    field, t = Network(), torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = SolveSpec(rtol=1e-4, atol=1e-4, adjoint="full")
    base, loose = gradients(field, spec, t)
    _, tight = gradients(field, replace(spec, backward=BackwardSpec(rtol=1e-9, atol=1e-9)), t)
    assert tight.nfe_forward == loose.nfe_forward
    assert tight.nfe_backward > 2 * loose.nfe_backward
    steps = BackwardSpec(method="rk4", step_size=0.1)
    found, fixed = gradients(field, replace(spec, backward=steps), t)
    assert fixed.nfe_backward == 40
    assert fixed.backward_steps_accepted == 10
    for a, b in zip(base, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)


def test_the_seminorm_takes_no_more_evaluations_than_the_full_norm():
    t = torch.tensor([0.0, 4.0], dtype=torch.float64)
    spec = SolveSpec(rtol=1e-7, atol=1e-7)
    _, full = gradients(Network(), replace(spec, adjoint="full"), t)
    _, semi = gradients(Network(), replace(spec, adjoint="seminorm"), t)
    assert semi.nfe_backward < full.nfe_backward


def test_parameters_without_gradient_and_unused_ones_are_left_alone():
    field = Network()
    field.spare = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    field.layers[0].bias.requires_grad_(False)
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    for mode in ("full", "checkpointed"):
        field.zero_grad()
        solve(field, start(), t, SolveSpec(adjoint=mode)).values.sum().backward()
        assert field.layers[0].bias.grad is None
        assert field.spare.grad is None or not field.spare.grad.any()
        assert field.layers[0].weight.grad.any()


@pytest.mark.parametrize("mode", ["direct", "full", "seminorm", "checkpointed"])
def test_one_field_can_be_solved_twice(mode):
    field = Linear()
    t = torch.tensor([0.0, 0.5], dtype=torch.float64)
    spec = SolveSpec(rtol=1e-9, atol=1e-9, adjoint=mode)
    half = solve(field, start(), t, spec).values[-1]
    twice = solve(field, half, t, spec).values[-1]
    (in_two,) = torch.autograd.grad(twice.square().sum(), field.matrix)
    whole = solve(field, start(), 2 * t, spec).values[-1]
    (in_one,) = torch.autograd.grad(whole.square().sum(), field.matrix)
    torch.testing.assert_close(twice, whole, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(in_two, in_one, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("mode", ["direct", "full", "checkpointed"])
def test_the_limit_of_evaluations_ends_either_pass(mode):
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    with pytest.raises(SolverError, match=r"forward solve stopped at t = .*solver\.max_nfe=5"):
        solve(Network(), start(), t, SolveSpec(adjoint=mode, max_nfe=5))
    if mode != "direct":
        spec = SolveSpec(
            rtol=1e-2, atol=1e-2, adjoint=mode, backward=BackwardSpec(rtol=1e-12, atol=1e-12)
        )
        used = solve(Network(), start(), t, spec).stats.nfe_forward
        solution = solve(Network(), start(), t, replace(spec, max_nfe=used))
        if mode == "full":
            with pytest.raises(SolverError, match="backward solve stopped"):
                solution.values.sum().backward()
        else:  # a replay takes no more than the solve did, each time it is made
            for _ in range(2):
                solution.values.sum().backward(retain_graph=True)
            assert used / 2 < solution.stats.nfe_backward / 2 <= used


def test_a_step_below_the_smallest_ends_the_solve_with_its_place():
    def spike(t, y):
        return 1e4 * torch.exp(-(((t - 0.5) * 1e3) ** 2)) * y

    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = SolveSpec(rtol=1e-8, atol=1e-8, min_step=1e-2)
    y0 = torch.ones(1, dtype=torch.float64)
    with pytest.raises(SolverError, match=r"t = .* with a step of .*solver\.min_step=0\.01"):
        solve(lambda s, y: torch.cos(200 * s) * 50 * y, y0, t, spec)
    assert solve(spike, y0, t, replace(spec, min_step=None)).values.isfinite().all()


@pytest.mark.parametrize(
    "spec",
    [
        SolveSpec(),
        SolveSpec(method="adams"),
        SolveSpec(method="rk4", step_size=0.1),
        SolveSpec(method="explicit_adams", step_size=0.1),
    ],
    ids=lambda spec: spec.method,
)
def test_a_field_that_leaves_the_finite_numbers_is_told_with_time_and_step(spec):
    def breaks(t, y):
        return torch.where(t > 0.62, torch.full_like(y, float("nan")), -y)

    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    with pytest.raises(SolverError, match=r"stopped at t = 0\.[678].* with a step of .*try"):
        solve(breaks, torch.ones(2, dtype=torch.float64), t, spec)


def test_an_adjoint_that_explodes_is_told():
    class Harsh(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

        def forward(self, t, y):
            return self.scale * torch.sqrt(torch.relu(0.5 - t)) * y.sqrt() * 0 + torch.sqrt(y * 0)

    solution = solve(
        Harsh(), start().detach().abs(), torch.tensor([0.0, 1.0]), SolveSpec(adjoint="full")
    )
    with pytest.raises(SolverError, match="not finite"):
        solution.values.sum().backward()


def test_times_out_of_order_or_with_gradient_are_refused():
    y0 = start()
    with pytest.raises(ValueError, match="order"):
        solve(Linear(), y0, torch.tensor([0.0, 1.0, 0.5]), SolveSpec())
    with pytest.raises(ValueError, match="gradient"):
        solve(Linear(), y0, torch.tensor([0.0, 1.0], requires_grad=True), SolveSpec())
    with pytest.raises(ValueError, match="one-dimensional"):
        solve(Linear(), y0, torch.tensor(1.0), SolveSpec())
    spec = SolveSpec(method="adams", adjoint="checkpointed")
    with pytest.raises(ValueError, match="Runge-Kutta"):
        solve(Linear(), y0, torch.tensor([0.0, 1.0]), spec)


@pytest.mark.parametrize("mode", ["direct", "full", "seminorm", "checkpointed"])
def test_an_absolute_tolerance_of_zero_is_a_tolerance(mode):
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    y0 = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    field = Linear()
    values = solve(field, y0, t, SolveSpec(rtol=1e-6, atol=0.0, adjoint=mode)).values
    values[-1].sum().backward()
    exact = torch.matrix_exp(field.matrix.detach())
    torch.testing.assert_close(values[-1], y0 @ exact.T, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(y0.grad, exact.sum(0, keepdim=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("times", [[0.0, 1.0], [1.0, 0.0], [1.7e9, 1.7e9 + 60.0]])
@pytest.mark.parametrize("method", ["dopri5", "adams", "dopri8"])
def test_the_field_is_never_evaluated_outside_of_the_interval(method, times):
    seen = []

    def slow(t, y):
        seen.append(float(t))
        return 1e-3 * torch.cos(t / 10) * torch.ones_like(y)

    t = torch.tensor(times, dtype=torch.float64)
    solve(slow, torch.zeros(2, dtype=torch.float64), t, SolveSpec(method=method))
    assert min(times) <= min(seen) <= max(seen) <= max(times)


@pytest.mark.parametrize("mode", ["full", "seminorm", "checkpointed"])
def test_a_gradient_that_is_not_finite_goes_through(mode):
    field, y0 = Linear(), start()
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    values = solve(field, y0, t, SolveSpec(adjoint=mode)).values
    values.backward(torch.full_like(values, torch.inf))
    assert not field.matrix.grad.isfinite().any()


@pytest.mark.parametrize("settings", [{}, {"method": "rk4", "num_steps": 4}], ids=["dopri5", "rk4"])
@pytest.mark.parametrize("mode", ["direct", "full", "seminorm", "checkpointed"])
def test_a_gradient_too_large_for_fp16_is_for_the_scaler_to_pass_over(mode, settings):
    """It is finite where it comes in, and no longer behind a layer of the field."""
    torch.manual_seed(0)
    field = torch.nn.Linear(4, 4)
    y0 = torch.ones(3, 4)
    with torch.autocast("cpu", dtype=torch.float16):
        spec = SolveSpec(adjoint=mode, **settings)
        values = solve(
            lambda t, y: field(y), y0, torch.tensor([0.0, 1.0]), spec, field.parameters()
        ).values
    for size, finite in ((1e6, False), (1.0, True)):
        field.zero_grad()
        values.backward(torch.full_like(values, size), retain_graph=True)
        assert bool(field.weight.grad.isfinite().all()) == finite


@pytest.mark.parametrize("method", ["scipy-RK45", "scipy-BDF", "scipy-Radau", "scipy-LSODA"])
def test_scipy_ends_where_the_field_is_not_finite(method):
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = SolveSpec(method=method, adjoint="full")
    y0 = torch.ones(2, dtype=torch.float64)
    for after in (-1.0, 0.5):
        with pytest.raises(SolverError, match=r"stopped at t = .*not finite"):
            solve(lambda s, y, a=after: torch.where(s > a, y / 0.0 * 0.0, -y), y0, t, spec)
    with pytest.raises(SolverError, match="state is not finite"):
        solve(lambda s, y: -y, y0 * torch.nan, t, spec)


def test_a_field_of_another_dtype_is_brought_to_that_of_the_state():
    t = torch.tensor([0.0, 1.0])
    for mode in ("direct", "full", "checkpointed"):
        y0 = torch.ones(2, requires_grad=True)
        spec = SolveSpec(adjoint=mode)
        values = solve(lambda s, y: -y.double(), y0, t, spec, parameters=()).values
        assert values.dtype == torch.float32
        values[-1].sum().backward()
        assert y0.grad.dtype == torch.float32


def test_adams_of_fixed_order_backwards_after_another_solver_has_its_own_order(config_of):
    for overrides in (["solver=euler", "solver.num_steps=10"], ["solver=dopri8"]):
        config = config_of(
            *overrides, "adjoint=full", "adjoint.solver=explicit_adams", "adjoint.step_size=0.1"
        )
        assert SolveSpec.from_config(config).adjoint_spec().order == 4
    config = config_of("solver=implicit_adams", "solver.order=6", "adjoint=full")
    assert SolveSpec.from_config(config).adjoint_spec().order == 6


def test_a_spec_in_other_units_of_time_takes_the_same_steps():
    spec = SolveSpec(
        step_size=0.5, min_step=1e-3, backward=BackwardSpec(method="rk4", step_size=0.1)
    )
    scaled = spec.in_units_of(10.0)
    assert (scaled.length_of_steps(1.0), scaled.shortest_step) == (0.05, 1e-4)
    assert scaled.adjoint_spec().length_of_steps(1.0) == pytest.approx(0.01)


def test_an_atol_of_zero_that_cannot_be_met_is_named():
    t = torch.tensor([0.0, 7.0], dtype=torch.float64)
    y0 = torch.tensor([1.0, 0.0], dtype=torch.float64)
    spec = SolveSpec(rtol=1e-10, atol=0.0, max_steps=50)
    with pytest.raises(SolverError, match=r"solver\.max_steps=50 .*an atol of 0"):
        solve(lambda s, y: torch.stack([y[1], -y[0]]), y0, t, spec)


def test_a_spec_at_another_tolerance_keeps_its_backward_solver():
    spec = SolveSpec(adjoint="full", backward=BackwardSpec(method="bosh3", rtol=0.5))
    backward = spec.at_tolerance(1e-6).adjoint_spec()
    assert (backward.method, backward.rtol, backward.atol) == ("bosh3", 1e-6, 1e-6)


@pytest.mark.parametrize("mode", ["direct", "full", "checkpointed"])
def test_parts_outside_of_the_norm_do_not_decide_the_steps_and_are_right_all_the_same(mode):
    def field(t, state):
        y = state[0]
        return (-y, *(10 * torch.cos(9 * t) * torch.ones_like(y) for _ in state[1:]))

    y0 = torch.ones(3, dtype=torch.float64, requires_grad=True)
    times = torch.tensor([0.0, 1.0])
    spec = SolveSpec(rtol=1e-6, atol=1e-6, adjoint=mode)
    alone = solve(field, (y0,), times, spec)
    ridden = solve(field, (y0, torch.zeros_like(y0)), times, spec, outside_norm=1)
    heeded = solve(field, (y0, torch.zeros_like(y0)), times, spec)
    assert torch.equal(alone.values[0], ridden.values[0])
    assert alone.stats.nfe_forward == ridden.stats.nfe_forward < heeded.stats.nfe_forward
    truth = torch.full((3,), 10 * math.sin(9.0) / 9, dtype=torch.float64)
    torch.testing.assert_close(heeded.values[1][-1], truth, atol=1e-4, rtol=0)
    torch.testing.assert_close(ridden.values[1][-1], truth, atol=0.1, rtol=0)
    (gradient,) = torch.autograd.grad(ridden.values[0][-1].sum(), y0)
    torch.testing.assert_close(gradient, torch.full_like(y0, math.exp(-1)), atol=1e-5, rtol=0)
