"""Graphs from the solve before: only where all that they depend on is the same."""

import pytest
import torch
from torch import nn

from node_cli.solving import SolveSpec, compilation, solve
from node_cli.solving.bound_graphs import BoundGraphs
from node_cli.solving.compilation import CompiledFunction, System

pytestmark = pytest.mark.usefixtures("traced_only")


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(-0.5, dtype=torch.float64))
        self.shift = torch.zeros(2, dtype=torch.float64)
        self.power = 1

    def forward(self, t, y):
        return self.rate * y**self.power + self.shift


class Wider(Field):
    def __init__(self):
        super().__init__()
        self.shift = torch.zeros(3, dtype=torch.float64)


def end(field, compile_mode="step", adjoint="direct", method="bosh3"):
    """The last state and the gradient of the rate."""
    y0 = torch.ones_like(field.shift)
    y0[1:] = 0.5
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    spec = SolveSpec(method=method, rtol=1e-4, compile=compile_mode, adjoint=adjoint)
    values = solve(field, y0, t, spec).values
    (of_rate,) = torch.autograd.grad(values[-1].sum(), list(field.parameters())[:1])
    return values[-1].detach(), of_rate


@pytest.fixture
def looked_for(monkeypatch):
    """The functions that torch has looked for."""
    found = []
    plain = CompiledFunction.__call__

    def call(function, *arguments):
        found.append(function.plain.__name__)
        return plain(function, *arguments)

    monkeypatch.setattr(CompiledFunction, "__call__", call)
    return found


def test_torch_looks_for_one_function(looked_for):
    field = Field()
    end(field)
    first = len(looked_for)
    assert first == 5
    again = end(field)
    assert looked_for[first:] == ["start_forward"]
    for a, b in zip(again, end(field, "off"), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_other_methods_and_fields_are_constants_too(looked_for):
    """What torch takes for an input, as it was another one before, is not known to be the same."""
    for field, method in ((Field(), "bosh3"), (Field(), "dopri5"), (Wider(), "dopri5")):
        end(field, method=method)
        first = len(looked_for)
        end(field, method=method)
        assert looked_for[first:] == ["start_forward"]


def test_what_the_backward_pass_is_asked_for_changes():
    """The forward pass is the same each time; norm and weights of the backward one are not."""
    torch.manual_seed(0)
    field = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    weights = list(field.parameters())
    asked = [("full", weights), ("seminorm", weights), ("full", weights[:1]), ("direct", weights)]
    asked += [("full", weights[2:]), ("full", weights)]
    for mode, parameters in asked:
        found = []
        for how in ("off", "step"):
            y0 = torch.ones(4, 2, dtype=torch.float64, requires_grad=True)
            t = torch.tensor([0.0, 1.0], dtype=torch.float64)
            spec = SolveSpec(method="bosh3", rtol=1e-4, compile=how, adjoint=mode)
            solved = solve(lambda t, y: field(y), y0, t, spec, parameters)
            gradients = torch.autograd.grad(solved.values[-1].sum(), (y0, *parameters))
            found.append((solved.stats.nfe_backward, *gradients))
        assert found[0][0] == found[1][0] or mode == "direct"
        for a, b in zip(found[0][1:], found[1][1:], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    assert compilation.done.refused == {}


@pytest.mark.parametrize("adjoint", ["direct", "full"])
@pytest.mark.parametrize("change", ["tensor", "number", "parameter", "weight", "method", "hook"])
def test_what_changes_between_solves_is_seen(change, adjoint):
    field = Field()
    end(field, adjoint=adjoint)
    end(field, adjoint=adjoint)
    if change == "tensor":
        field.shift = torch.ones(2, dtype=torch.float64)
    elif change == "number":
        field.power = 2
    elif change == "parameter":
        field.rate = nn.Parameter(torch.tensor(-2.0, dtype=torch.float64))
    elif change == "weight":
        with torch.no_grad():
            field.rate.fill_(-1.5)
    elif change == "hook":
        field.register_forward_hook(lambda module, given, found: 2 * found)
    else:
        field.forward = lambda t, y: field.rate * torch.sin(y)
    for a, b in zip(end(field, adjoint=adjoint), end(field, "off", adjoint), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_the_graphs_of_one_model_are_not_those_of_another():
    fields = [Field(), Field()]
    with torch.no_grad():
        fields[1].rate.fill_(-3.0)
    for field in (*fields, *fields):
        for a, b in zip(end(field), end(field, "off"), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_no_model_is_kept_alive():
    import gc
    import weakref

    field = Field()
    end(field)
    end(field)
    gone = weakref.ref(field.rate)
    del field
    torch._dynamo.reset()
    gc.collect()
    assert gone() is None


def test_a_graph_gets_tensors_that_lie_as_the_first_ones():
    function = CompiledFunction(lambda content, x: (x * 2.0,), "a test", "eager")
    graphs = BoundGraphs(System(None, object(), None), "a test", or_plain=False)
    for _ in range(2):
        (found,) = graphs(function, torch.ones(3, 4).t())
        assert found.is_contiguous()


@pytest.mark.parametrize("adjoint", ["direct", "checkpointed", "full", "seminorm"])
def test_hooks_that_see_what_is_saved_change_nothing(adjoint):
    """They give back other objects than the parameters that are in the graphs."""
    field = Field()
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x.detach(), lambda x: x):
        hooked = end(field, adjoint=adjoint)
    for a, b in zip(hooked, end(field, "off", adjoint), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    counted = compilation.done.count
    for a, b in zip(hooked, end(field, adjoint=adjoint), strict=True):
        assert torch.equal(a, b)
    assert compilation.done.count == counted
