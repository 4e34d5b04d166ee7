"""How often a solve reads numbers from its device: a GPU is waited for each time."""

import math
from collections import Counter

import pytest
import torch
from solving.problems import Network
from torch.func import vmap

from node_cli.errors import SolverError
from node_cli.methods import METHODS
from node_cli.solving import SolveSpec, compilation, fixed_steps, solve
from node_cli.solving.host_numbers import read, slice_of, tensor_of

ADAPTIVE = [name for name, method in METHODS.items() if method.kind == "adaptive"]
FIXED = ["euler", "rk4", "explicit_adams", "implicit_adams"]
READING = ("item", "tolist", "numpy", "__float__", "__int__", "__bool__", "__index__")
# In a solve and its adjoint: the times, two first steps, and whether gradients are finite.
FIRST_STEP = 2
ONCE = 2 + 2 * FIRST_STEP


@pytest.fixture
def reads(monkeypatch):
    """Counts how often values are read from tensors."""
    counted = Counter()

    def counts(name):
        original = getattr(torch.Tensor, name)

        def reading(tensor, *arguments, **further):
            counted["reads"] += 1
            return original(tensor, *arguments, **further)

        return reading

    for name in READING:
        monkeypatch.setattr(torch.Tensor, name, counts(name))
    return counted


@pytest.fixture
def _as_on_a_gpu(monkeypatch):
    """Nothing is read because it costs nothing on a CPU."""
    counting = fixed_steps.FiniteSteps
    monkeypatch.setattr(
        fixed_steps, "FiniteSteps", lambda method, reads_freely: counting(method, False)
    )


def solved(spec, times, reads):
    """The stats of a solve, and what was read in it and in its gradient."""
    field = Network()
    y0 = torch.tensor([[0.5, -1.0], [0.1, 0.2]], dtype=torch.float64, requires_grad=True)
    reads.clear()
    solution = solve(field, y0, times, spec)
    solution.values.square().sum().backward()
    return solution.stats, reads["reads"]


def attempts(stats):
    return (
        stats.steps_accepted + stats.steps_rejected
        + stats.backward_steps_accepted + stats.backward_steps_rejected
    )  # fmt: skip


@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize("mode", ["direct", "checkpointed"])
@pytest.mark.parametrize("method", FIXED)
def test_given_steps_read_nothing(method, mode, reads):
    if mode == "checkpointed" and not METHODS[method].one_step:
        mode = "direct"
    t = torch.linspace(0, 1, 3, dtype=torch.float64)
    found = {
        solved(SolveSpec(method=method, num_steps=steps, adjoint=mode), t, reads)[1]
        for steps in (8, 40)
    }
    assert len(found) == 1
    assert found.pop() <= ONCE


@pytest.mark.usefixtures("_as_on_a_gpu")
def test_many_outputs_of_given_steps_are_read_ever_more_rarely(reads):
    spec = SolveSpec(method="rk4", num_steps=200)
    for outputs in (11, 201):
        t = torch.linspace(0, 1, outputs, dtype=torch.float64)
        stats, count = solved(spec, t, reads)
        assert stats.steps_accepted == 200
        assert count <= ONCE + math.log2(outputs)


@pytest.mark.parametrize("mode", ["direct", "checkpointed", "full", "seminorm"])
@pytest.mark.parametrize("method", ADAPTIVE)
def test_an_attempt_of_a_step_reads_once(method, mode, reads):
    if mode == "checkpointed" and not METHODS[method].one_step:
        mode = "direct"
    t = torch.linspace(0, 4, 12, dtype=torch.float64)
    spec = SolveSpec(method=method, rtol=1e-6, atol=1e-7, adjoint=mode)
    stats, count = solved(spec, t, reads)
    # The adjoint of a method with a long past begins anew at each output.
    anew = 0 if METHODS[method].one_step else FIRST_STEP * len(t)
    assert attempts(stats) > ONCE
    assert attempts(stats) <= count <= attempts(stats) + ONCE + anew


@pytest.mark.parametrize("mode", ["direct", "checkpointed", "full"])
def test_compiled_steps_read_no_more(mode, reads, monkeypatch):
    monkeypatch.setattr(compilation, "BACKEND", "eager")
    monkeypatch.setattr(compilation.done, "refused", {})
    torch._dynamo.reset()  # what it knows of shapes in other tests
    t = torch.linspace(0, 2, 12, dtype=torch.float64)
    spec = SolveSpec(rtol=1e-6, atol=1e-7, adjoint=mode, compile="step")
    before = compilation.done.count
    solved(spec, t, reads)
    assert compilation.done.count > before
    stats, count = solved(spec, t, reads)
    assert attempts(stats) <= count <= attempts(stats) + ONCE


@pytest.mark.usefixtures("_as_on_a_gpu")
@pytest.mark.parametrize("outputs", [2, 3, 5, 9, 17])
def test_where_a_state_is_lost_is_told_however_late_it_is_read(outputs):
    def field(t, y):
        return torch.where(t < 0.7, y, torch.inf)

    t = torch.linspace(0, 1, outputs, dtype=torch.float64)
    with pytest.raises(SolverError, match=r"at t = 0\.8125 with a step of 0\.0625: .* no longer"):
        solve(field, torch.ones(2), t, SolveSpec(method="euler", num_steps=16))


def test_several_numbers_are_read_at_once(reads):
    numbers = [torch.tensor(value) for value in (1.5, math.inf, -2.0)]
    assert read(numbers) == [1.5, math.inf, -2.0]
    assert reads["reads"] == 1
    assert read(numbers[:1]) == [1.5]
    with pytest.raises(RuntimeError, match=r"^vmap:"):
        vmap(lambda x: x * read([x.sum(), x.max()])[0])(torch.ones(2, 3))


def test_numbers_become_tensors_like_another():
    like = torch.zeros(3, dtype=torch.float64)
    rows = [[1.0, 2.5], [3.0, 1e-300]]
    assert torch.equal(tensor_of(rows, like), torch.tensor(rows, dtype=torch.float64))
    assert tensor_of([0.1], like.float()).dtype == torch.float32
    assert torch.equal(torch.arange(9)[slice_of([4, 5, 6])], torch.arange(9)[[4, 5, 6]])
