"""Compiled steps against the same steps as they are: values, gradients, counts and messages.

They go through torch's tracing alone, which is what can go wrong here; ``test_generated_code`` has
code generated and compiled too.
"""

from dataclasses import replace

import pytest
import torch
from solving.problems import Network
from torch import nn

from node_cli.errors import SolverError
from node_cli.memory import SavedBytes
from node_cli.schema.trace import TraceConfig
from node_cli.solving import SolveSpec, compilation, solve
from node_cli.tasks.densities.continuous_flow import ContinuousFlow
from node_cli.tasks.densities.schema import HypernetworkConfig


class Field(Network):
    """Without a count of its calls, which is compiled anew when it is first seen to change."""

    def forward(self, t, y):
        return self.layers(torch.cat([y, t.expand(len(y), 1)], dim=1))


pytestmark = pytest.mark.usefixtures("traced_only")


def compiled():
    return compilation.done.count


def times(*given):
    return torch.tensor(given, dtype=torch.float64)


def solved(field, spec, t, parameters=None):
    """Values, gradients of the state and the parameters, and the stats."""
    y0 = torch.tensor([[0.5, -1.0], [0.1, 0.2]], dtype=torch.float64, requires_grad=True)
    known = list(field.parameters()) if parameters is None else parameters
    solution = solve(field, y0, t, spec, known)
    found = torch.autograd.grad(solution.values.square().sum(), (y0, *known))
    return (solution.values.detach(), *found), solution.stats


def assert_the_same(field, spec, t):
    plain, of_plain = solved(field, spec, t)
    fast, of_fast = solved(field, replace(spec, compile="step"), t)
    for a, b in zip(plain, fast, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)
    assert of_fast == of_plain


@pytest.mark.parametrize(
    ("method", "mode", "steps"),
    [
        ("dopri5", "direct", {}),
        ("bosh3", "checkpointed", {}),
        ("bosh3", "full", {}),
        pytest.param("bosh3", "seminorm", {}, marks=pytest.mark.slow),
        ("fehlberg2", "direct", {}),
        pytest.param("fehlberg2", "full", {}, marks=pytest.mark.slow),
        ("rk4", "direct", {"step_size": 0.3}),
        pytest.param("heun2", "checkpointed", {"step_size": 0.3}, marks=pytest.mark.slow),
        ("heun2", "full", {"step_size": 0.3}),
    ],
)
def test_nothing_changes_but_the_speed(method, mode, steps, told):
    field, spec = Field(), SolveSpec(method=method, adjoint=mode, **steps)
    assert_the_same(field, spec, times(0.0, 0.2, 0.25, 1.0))
    # What passes over outputs in a large step is taken by other graphs in small ones.
    assert_the_same(field, replace(spec, rtol=1e-6, atol=1e-7), times(0.0, 0.4, 1.0))
    before = compiled()
    # Other times, in the other direction, and other tolerances: the same graphs.
    assert_the_same(field, replace(spec, rtol=1e-5, atol=1e-6), times(2.0, 1.6, 1.55, 0.5))
    assert compiled() == before
    assert told == []


class Flow(ContinuousFlow):
    """A flow whose network of time is evaluated once for all stages of a step."""

    def __init__(self, spec):
        torch.manual_seed(0)
        config = HypernetworkConfig(
            name="hypernetwork",
            width=3,
            hidden=4,
            flows=1,
            T=1.0,
            learn_time=True,
            reverse=False,
            batch_norm=False,
            base_covariance=0.1,
        )
        trace = TraceConfig(name="closed-form", noise="rademacher", evaluation="exact")
        super().__init__(config, 2, spec, trace)
        self.double()


@pytest.mark.parametrize("mode", ["direct", "full"])
def test_what_depends_on_time_alone_is_evaluated_once(mode, told):
    torch._dynamo.reset()  # no mode finds the graphs of the other
    found = []
    x = torch.tensor([[0.3, -0.4], [1.0, 0.2], [-0.5, 0.1]], dtype=torch.float64)
    for compile_mode in ("off", "step"):
        flow = Flow(SolveSpec(method="bosh3", adjoint=mode, compile=compile_mode))
        carried = flow(x)
        loss = carried.points.square().sum() + carried.log_det.sum()
        found.append([loss.detach(), *torch.autograd.grad(loss, list(flow.parameters()))])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)
    assert told == []


def test_what_is_kept_is_the_state_and_the_field_at_each_step():
    field, size = Field(), 4 * 8
    y0 = torch.full((2, 2), 0.5, dtype=torch.float64, requires_grad=True)
    kept = {}
    for mode in ("direct", "checkpointed"):
        saved = SavedBytes(field)
        spec = SolveSpec(method="bosh3", adjoint=mode, compile="step")
        with saved.measure():
            solution = solve(field, y0, times(0.0, 1.0), spec)
            kept[mode] = saved.bytes_now()
        steps = solution.stats.steps_accepted
    assert kept == {"direct": 2 * steps * size, "checkpointed": steps * size}


class Faulty(nn.Module):
    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.weight = nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, t, y):
        if self.fault == "shape":
            return y.sum() * self.weight
        if self.fault == "not finite":
            return torch.inf * y * self.weight
        if self.fault == "not finite later":
            return torch.where(t > 0.5, torch.inf, y * self.weight)
        return -40.0 * y * self.weight


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("shape", {}),
        ("not finite", {}),
        ("not finite later", {"method": "heun2", "step_size": 0.1}),
        ("evaluations", {"max_nfe": 25}),
        ("steps", {"max_steps": 5}),
    ],
)
def test_errors_are_told_as_ever(fault, settings):
    messages = []
    for compile_mode in ("off", "step"):
        spec = SolveSpec(**({"method": "bosh3"} | settings), compile=compile_mode)
        with pytest.raises(SolverError) as error:
            solved(Faulty(fault), spec, times(0.0, 1.0))
        messages.append(str(error.value))
    assert messages[0] == messages[1]


class Untraceable(Field):
    def forward(self, t, y):
        if float(y.detach().sum()) > 1e9:
            return y
        return super().forward(t, y)


@pytest.mark.parametrize("mode", ["direct", "full"])
def test_a_field_that_cannot_be_traced_runs_as_it_is(mode, told):
    field, spec = Untraceable(), SolveSpec(method="bosh3", adjoint=mode)
    plain, fast = (
        solved(field, replace(spec, compile=how), times(0.0, 1.0)) for how in ("off", "step")
    )
    assert fast[1] == plain[1]
    for a, b in zip(plain[0], fast[0], strict=True):
        assert torch.equal(a, b)
    solved(field, replace(spec, compile="step"), times(0.0, 1.0))
    assert len(told) == 1
    assert "Untraceable is not compiled: torch cannot trace it" in told[0]


def test_tensors_of_the_field_that_are_no_parameters_of_it_get_their_gradients(told):
    factor = torch.tensor(-0.5, dtype=torch.float64, requires_grad=True)
    found = []
    for how in ("off", "step"):
        y0 = torch.ones(2, dtype=torch.float64)
        spec = SolveSpec(method="bosh3", compile=how)
        values = solve(lambda t, y: factor * y, y0, times(0.0, 1.0), spec).values
        found.append(torch.autograd.grad(values[-1].sum(), factor)[0])
    assert found[0] == found[1]
    assert "not among its parameters" in told[0]


@pytest.mark.parametrize("before", ["no gradients", "named"])
def test_a_graph_that_was_made_without_gradients_loses_none(before, told):
    factor = torch.tensor(-0.5, dtype=torch.float64, requires_grad=True)

    def field(t, y):
        return factor * y

    y0, spec = torch.ones(2, dtype=torch.float64), SolveSpec(method="bosh3", compile="step")
    if before == "named":
        solve(field, y0, times(0.0, 1.0), spec, [factor])
    else:
        with torch.no_grad():
            solve(field, y0, times(0.0, 1.0), spec)
    start = y0.clone().requires_grad_()
    solve(field, start, times(0.0, 1.0), spec).values[-1].sum().backward()
    assert factor.grad is not None
    assert "not among its parameters" in told[0]


class Random(Field):
    def forward(self, t, y):
        return super().forward(t, y) * (1 + torch.rand(()))


@pytest.mark.parametrize("steps", [{}, {"method": "rk4", "step_size": 0.25}])
def test_a_field_that_draws_random_numbers_runs_as_it_is(steps, told):
    field, spec = Random(), SolveSpec(**({"method": "bosh3"} | steps))
    found = []
    for how in ("off", "step"):
        torch.manual_seed(3)
        found.append(solved(field, replace(spec, compile=how), times(0.0, 1.0)))
    assert found[0][1] == found[1][1]
    for a, b in zip(found[0][0], found[1][0], strict=True):
        assert torch.equal(a, b)
    assert "it draws random numbers" in told[0]


@pytest.mark.parametrize("mode", ["direct", "checkpointed", "full"])
def test_a_field_of_time_alone(mode):
    found = []
    for how in ("off", "step"):
        y0 = torch.ones(2, dtype=torch.float64, requires_grad=True)
        spec = SolveSpec(method="bosh3", adjoint=mode, compile=how)
        values = solve(lambda t, y: torch.cos(t).expand(2), y0, times(0.0, 1.0), spec, ()).values
        found.append(torch.autograd.grad(values[-1].sum(), y0)[0])
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("mode", ["direct", "checkpointed"])
@pytest.mark.parametrize("t", [times(0.0, 1.0), times(0.5)])
def test_parameters_that_are_not_used_have_no_gradient(mode, t):
    field = Field()
    field.unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    got = []
    for how in ("off", "step"):
        field.zero_grad(set_to_none=True)
        y0 = torch.tensor([[0.5, -1.0]], dtype=torch.float64, requires_grad=True)
        spec = SolveSpec(method="bosh3", adjoint=mode, compile=how)
        solve(field, y0, t, spec).values[-1].sum().backward()
        got.append([parameter.grad is None for parameter in field.parameters()])
    assert got[1] == got[0]
    assert got[1][-1] or got[1][0]


def test_second_derivatives_are_refused():
    y0 = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
    spec = SolveSpec(method="bosh3", compile="step")
    values = solve(Field(), y0, times(0.0, 1.0), spec).values
    with pytest.raises(SolverError, match="compile=off"):
        torch.autograd.grad(values[-1].sum(), y0, create_graph=True)


def test_threads_compile_at_the_same_time(told):
    import threading

    found = []

    def work():
        field, y0 = Field(), torch.ones(2, 2, dtype=torch.float64)
        spec = SolveSpec(method="bosh3", compile="step")
        ends = [
            solve(field, y0, times(0.0, 1.0), replace(spec, compile=how)).values[-1].detach()
            for how in ("off", "step", "step")
        ]
        found.append(all(torch.allclose(ends[0], end, rtol=1e-12) for end in ends))

    torch._dynamo.reset()
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 3
    assert compilation.done.refused == {}


def test_other_solvers_and_transforms_run_as_they_are():
    before = compiled()
    spec = SolveSpec(method="adams", compile="step")
    assert torch.isfinite(solved(Field(), spec, times(0.0, 0.5))[0][0]).all()

    def end(y):
        fixed = SolveSpec(method="rk4", num_steps=2, compile="step")
        return solve(lambda t, y: -y, y, times(0.0, 1.0), fixed).values[-1]

    batch = torch.ones(3, 2, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(end)(batch), end_by_hand(batch))
    assert compiled() == before


def end_by_hand(y):
    h = 0.5
    factor = 1 - h + h**2 / 2 - h**3 / 6 + h**4 / 24
    return y * factor**2


@pytest.mark.slow
def test_without_a_compiler_it_runs_as_it_is(monkeypatch, told):
    import torch._inductor.config as inductor

    monkeypatch.setattr(compilation, "BACKEND", "inductor")

    class New(Field):
        """One that nothing has been compiled for."""

    # Torch's own patch: pytest's leaves a setting of torch behind that can no longer be read.
    with inductor.patch({"cpp.cxx": ("/no/such/compiler",), "force_disable_caches": True}):
        assert_the_same(New(), SolveSpec(method="bosh3"), times(0.0, 0.2, 1.0))
    said = "the field New is not compiled: there is no C++ compiler, or no Triton for the GPU"
    assert len(told) == 1
    assert told[0].startswith(said)
