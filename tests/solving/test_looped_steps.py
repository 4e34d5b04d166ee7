"""Whole solves in one call: the same steps, counts, values, gradients and errors as one by one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from node_cli.errors import SolverError
from node_cli.memory import SavedBytes
from node_cli.solving import SolveSpec, compilation, integration, looped_gradients, solve
from node_cli.solving.graph_loops import GraphLoop, NotOneKernelError
from node_cli.solving.small_products import are_short

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("generated")]

GRIDS = {
    "forwards": torch.linspace(0.0, 2.0, 7),
    "backwards": torch.linspace(1.0, -1.0, 4),
    "two": torch.tensor([0.0, 1.5]),
    "equal ones": torch.tensor([0.0, 0.0, 0.3, 0.3, 1.0, 1.0]),
    "many": torch.linspace(0.0, 1.0, 300),
    "long": torch.tensor([0.0, 60.0]),
}


class Layer(nn.Module):
    """One hidden layer, and a parameter that is not used."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(2, 16), nn.Linear(16, 2)
        self.unused = nn.Parameter(torch.ones(3))
        self.double()

    def forward(self, t, y):
        return torch.sin(self.outer(torch.tanh(self.inner(y))) * (1 + 0.1 * t))


class Oscillator(nn.Module):
    """Columns put together."""

    def __init__(self):
        super().__init__()
        self.mu = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))

    def forward(self, t, y):
        x, v = y.unbind(-1)
        return torch.stack((v, self.mu * (1 - x * x) * v - x), dim=-1)


FIELDS = {"layer": (Layer, "dopri5"), "oscillator": (Oscillator, "bosh3")}


@pytest.fixture
def loops(monkeypatch):
    """The numbers of calls in each loop that is run."""
    found, call = [], GraphLoop.__call__

    def counted(self, *arguments, **keywords):
        found.append(call(self, *arguments, **keywords))
        return found[-1]

    monkeypatch.setattr(GraphLoop, "__call__", counted)
    return found


def start():
    return torch.linspace(-1.2, 1.3, 40, dtype=torch.float64).reshape(20, 2)


def found(field, spec, times, y0=None):
    """Values, gradients and counts."""
    y0 = (start() if y0 is None else y0).requires_grad_()
    solution = solve(field, y0, times.double(), spec)
    values = solution.values
    loss = (values * torch.linspace(0.5, 1.0, values.numel()).reshape(values.shape)).sum()
    inputs = (y0, *field.parameters())
    gradients = torch.autograd.grad(loss, inputs, allow_unused=True)
    return values.detach(), gradients, vars(solution.stats)


def assert_alike(one, other, rtol=1e-11):
    assert one[2] == other[2]
    for a, b in zip((one[0], *one[1]), (other[0], *other[1]), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", FIELDS)
def test_a_solve_and_its_gradient_are_one_call_each(name, loops):
    make, method = FIELDS[name]
    field = make()
    for tolerance in (1e-3, 1e-7):
        spec = SolveSpec(method, rtol=tolerance, atol=tolerance, compile="step")
        for times in GRIDS.values():
            loops.clear()
            steps = found(field, spec, times)
            assert len(loops) >= 2
            *forward, backward = loops
            assert sum(forward) == steps[2]["steps_accepted"] + steps[2]["steps_rejected"]
            assert backward == steps[2]["steps_accepted"] + 1
            assert_alike(steps, found(field, replace(spec, compile="off"), times))
            again = found(field, spec, times)
            assert torch.equal(steps[0], again[0])
            with torch.no_grad():
                alone = solve(field, start(), times.double(), spec)
            assert torch.equal(alone.values, steps[0])


@pytest.mark.parametrize("mode", ["direct", "checkpointed"])
@pytest.mark.parametrize("method", ["rk4", "bosh3"])
def test_steps_that_are_given_or_replayed(method, mode, loops):
    steps = {"step_size": 0.05} if method == "rk4" else {"rtol": 1e-5}
    spec = SolveSpec(method, adjoint=mode, compile="step", **steps)
    field = Oscillator()
    for times in (GRIDS["forwards"], GRIDS["equal ones"], GRIDS["many"], -0.1 * GRIDS["two"]):
        loops.clear()
        one = found(field, spec, times)
        assert len(loops) >= 2
        assert_alike(one, found(field, replace(spec, compile="off"), times))
        with torch.no_grad():
            alone = solve(field, start(), times.double(), spec)
        assert torch.equal(alone.values, one[0])


@pytest.mark.parametrize("settings", [{"method": "bosh3"}, {"method": "rk4", "step_size": 0.1}])
def test_a_field_may_give_columns_that_lie_as_rows(settings, loops):
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def field(t, y):
        return torch.stack((weight * y[:, 1], -y[:, 0])).t()

    values = []
    for how in ("off", "step"):
        y0 = torch.linspace(-1.0, 1.0, 16, dtype=torch.float64).reshape(8, 2)
        spec = SolveSpec(**settings, compile=how)
        solution = solve(field, y0, GRIDS["forwards"].double(), spec, [weight])
        (gradient,) = torch.autograd.grad(solution.values.square().sum(), [weight])
        values.append((solution.values.detach(), [gradient], vars(solution.stats)))
    assert_alike(*values)


def test_a_solve_without_end_ends_at_its_limit(loops):
    def field(t, y):
        return torch.cos(1e6 * t) * torch.sin(y)

    spec = SolveSpec("bosh3", rtol=1e-9, atol=1e-9, max_nfe=2000, compile="step")
    with pytest.raises(SolverError, match="max_nfe=2000"):
        solve(field, torch.ones(1).double(), torch.tensor([0.0, 100.0]).double(), spec)
    assert sum(loops) < 2000


def test_what_is_told_is_told_as_ever(loops):
    field, times = Oscillator(), torch.tensor([0.0, 20.0])
    wide = 1e5 * start()
    for y0, settings in (
        (start(), {"max_nfe": 40}),
        (start(), {"max_steps": 7}),
        (start(), {"min_step": 0.05}),
        (wide, {}),
        (1e160 * start(), {}),
        (start().index_fill(0, torch.tensor(3), torch.nan), {}),
    ):
        told = []
        for how in ("off", "step"):
            spec = SolveSpec("bosh3", rtol=1e-7, atol=1e-9, compile=how, **settings)
            if y0 is wide:  # an attempt that leaves the finite numbers is made again
                told.append(found(field, spec, torch.tensor([0.0, 1e-6]), y0.clone())[2])
                continue
            with pytest.raises(SolverError) as error:
                found(field, spec, times, y0.clone())
            told.append(str(error.value))
        assert told[0] == told[1]


def test_too_many_evaluations_on_the_way_back_are_told_as_ever(loops):
    field, spec = Oscillator(), SolveSpec("bosh3", adjoint="checkpointed", compile="step")
    counts = found(field, spec, GRIDS["many"])[2]
    assert counts["nfe_backward"] > counts["nfe_forward"]
    told = []
    for how in ("off", "step"):
        limited = replace(spec, max_nfe=counts["nfe_forward"], compile=how)
        with pytest.raises(SolverError, match="backward") as error:
            found(field, limited, GRIDS["many"])
        told.append(str(error.value))
    assert told[0] == told[1]


def test_what_is_kept_is_the_state_and_the_field_at_each_step(loops):
    field, y0 = Oscillator(), start().requires_grad_()
    saved = SavedBytes(field)
    with saved.measure():
        spec = SolveSpec("bosh3", compile="step")
        solution = solve(field, y0, torch.tensor([0.0, 5.0]).double(), spec)
        kept = saved.bytes_now()
    assert loops
    assert kept == 2 * solution.stats.steps_accepted * 40 * 8


def test_gradients_are_taken_back_step_by_step_where_there_is_no_loop(monkeypatch, loops):
    field, spec = Oscillator(), SolveSpec("bosh3", compile="step")

    class NoLoops:
        def loop(self, *_):
            raise NotOneKernelError

    for times in (GRIDS["equal ones"], GRIDS["backwards"]):
        expected = found(field, spec, times)
        with monkeypatch.context() as patch:
            patch.setattr(looped_gradients, "graphs_of_gradients", lambda *_: NoLoops())
            loops.clear()
            assert_alike(found(field, spec, times), expected)
            assert len(loops) == 1


def test_graphs_are_for_what_a_field_is_now(loops):
    """One class with other weights, sizes and settings."""

    class Scaled(nn.Module):
        def __init__(self, factor, size):
            super().__init__()
            self.factor, self.size = factor, size
            self.weight = nn.Parameter(torch.full((size,), 0.5, dtype=torch.float64))

        def forward(self, t, y):
            return -self.factor * y * self.weight if self.training else y

    spec = SolveSpec("bosh3", compile="step")
    fields = [Scaled(1.0, 3), Scaled(2.0, 3), Scaled(1.0, 5)]
    for field in [*fields, *fields]:
        y0 = torch.ones(field.size, dtype=torch.float64)
        loops.clear()
        assert_alike(
            found(field, spec, GRIDS["two"], y0.clone()),
            found(field, replace(spec, compile="off"), GRIDS["two"], y0.clone()),
        )
        assert len(loops) == 2
    fields[0].eval()
    y0 = torch.ones(3, dtype=torch.float64)
    assert_alike(
        found(fields[0], spec, GRIDS["two"], y0.clone()),
        found(fields[0], replace(spec, compile="off"), GRIDS["two"], y0.clone()),
    )


def test_threads_do_not_share_what_they_compute(loops):
    field, spec = Oscillator(), SolveSpec("bosh3", rtol=1e-6, compile="step")
    starts = [start() * (1 + 0.1 * i) for i in range(6)]

    def values(y0):
        return found(field, spec, GRIDS["long"], y0.clone())[0]

    alone = [values(y0) for y0 in starts]
    with ThreadPoolExecutor(3) as threads:
        for one, other in zip(alone, threads.map(values, starts), strict=True):
            assert torch.equal(one, other)


def test_a_graph_of_more_kernels_is_no_loop(monkeypatch, loops, told):
    """It is not known before: the class of a field says nothing of products inside."""
    torch.manual_seed(0)
    matrix = torch.randn(24, 24, dtype=torch.float64) / 10

    def field(t, y):
        return torch.tanh(y @ matrix)

    y0 = torch.randn(24, 24, dtype=torch.float64, requires_grad=True)
    spec = SolveSpec("bosh3", compile="step")
    traced = []
    monkeypatch.setattr(
        integration, "course_of", lambda *a, of=integration.course_of: traced.append(a) or of(*a)
    )
    found = [
        solve(field, y0, GRIDS["two"].double(), replace(spec, compile=how)).values
        for how in ("step", "step", "off")
    ]
    assert (len(traced), loops, told) == (1, [], [])
    torch.testing.assert_close(found[1], found[2], rtol=1e-12, atol=1e-13)


def test_which_layers_are_sums():
    def layers(*sizes):
        return [weight for pair in pairwise(sizes) for weight in linear(*pair)]

    def linear(inputs, outputs):
        return nn.Linear(inputs, outputs).parameters()

    assert are_short(layers(2, 50, 2), 20)
    assert are_short(layers(64, 64), 1)
    assert not are_short(layers(2, 64, 64, 2), 20)
    assert not are_short(layers(2, 3), 5)  # no side along which a loop is worth it
    assert not are_short(nn.Conv1d(1, 1, 3).parameters(), 20)


def test_the_graph_is_compiled_once(loops):
    field, spec = Oscillator(), SolveSpec("bosh3", compile="step")
    found(field, spec, GRIDS["two"])
    before = compilation.done.count
    for tolerance, times in ((1e-2, GRIDS["many"]), (1e-8, GRIDS["backwards"])):
        found(field, replace(spec, rtol=tolerance), times)
    assert compilation.done.count == before
