"""A network called for many points, as a graph and as it is."""

import pytest
import torch
from torch import nn

from node_cli.solving import compilation
from node_cli.solving.compiled_module import _size, call_for_points

pytestmark = pytest.mark.usefixtures("traced_only")


def decoder(*further):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 7), nn.ReLU(), *further, nn.Linear(7, 2)).double()


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def graph_of(value):
    """The names of the nodes that a value comes from, one before the other."""
    names, node = [], value.grad_fn
    while node is not None:
        names.append(type(node).__name__)
        node = node.next_functions[0][0] if node.next_functions else None
    return " ".join(names)


def gradients(module, x, found):
    inputs = [x, *(p for p in module.parameters() if p.requires_grad)]
    weights = drawn(*found.shape)
    return torch.autograd.grad((found * weights).sum(), inputs)


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 4, 3), (1, 3), (0, 4, 3), (9000, 3), (8209, 3)])
def test_values_and_gradients_are_those_of_the_module(shape):
    module = decoder()
    x = drawn(*shape).requires_grad_()
    found = call_for_points(module, x, "a test")
    assert compilation.done.refused == {}
    assert "_Call" in graph_of(found)
    expected = module(x)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected)
    for a, b in zip(gradients(module, x, found), gradients(module, x, expected), strict=True):
        torch.testing.assert_close(a, b)


def test_a_frozen_weight_gets_no_gradient():
    module = decoder()
    module[0].weight.requires_grad_(False)
    x = drawn(6, 3).requires_grad_()
    found = call_for_points(module, x, "a test")
    for a, b in zip(gradients(module, x, found), gradients(module, x, module(x)), strict=True):
        torch.testing.assert_close(a, b)
    assert module[0].weight.grad is None


def test_weights_that_were_changed_since_are_refused():
    module, x = decoder(), drawn(6, 3)
    found = call_for_points(module, x, "a test")
    with torch.no_grad():
        module[2].weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        found.sum().backward()


def test_one_that_is_refused_is_not_all():
    call_for_points(decoder(nn.Dropout(0.25)), drawn(6, 3), "a test")
    x = drawn(6, 3).requires_grad_()
    assert "_Call" in graph_of(call_for_points(decoder(), x, "a test"))


@pytest.mark.parametrize("count", [1, 16, 4096, 4097, 100_000, 104_729])
def test_parts_are_equal_and_few_points_are_one(count):
    size = _size(count)
    assert count % size == 0
    assert count > 4096 or size == count


def test_what_cannot_be_a_graph_is_called_as_it_is(monkeypatch):
    told = []
    with compilation.told(lambda text, stays: told.append(text) if stays else None):
        module, x = decoder(nn.Dropout(0.5)), drawn(6, 3)
        torch.manual_seed(2)
        found = call_for_points(module, x, "a test")
        torch.manual_seed(2)
        assert torch.equal(found, module(x))
    assert "it draws random numbers" in told[0]


def test_in_autocast_it_is_called_as_it_is():
    module, x = decoder().float(), drawn(6, 3).float()
    count = compilation.done.count
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert call_for_points(module, x, "a test").dtype == torch.bfloat16
    assert compilation.done.count == count
