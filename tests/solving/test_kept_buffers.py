"""Graphs whose intermediate results keep their memory: what leaves a graph is always new."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch._inductor import config
from torch.fx.experimental.proxy_tensor import make_fx

from node_cli.solving import compilation
from node_cli.solving.bound_graphs import undisturbed
from node_cli.solving.kept_buffers import LARGEST
from node_cli.solving.watched_calls import watched

pytestmark = pytest.mark.slow


def network(x, w):
    """With results that a product of a library makes, and a view of one among those given back."""
    hidden = torch.tanh(x @ w)
    again = torch.tanh(hidden @ w)
    return hidden, (again @ w).t(), again.sum()


@pytest.fixture(scope="module", params=[True, False])
def compiled(code_cache, request):
    """With and without the class that torch writes around the code of a graph."""
    with pytest.MonkeyPatch.context() as patch, config.patch(graph_partition=request.param):
        patch.setenv("XDG_CACHE_HOME", str(code_cache))
        given = torch.randn(24, 12), torch.randn(12, 12)
        graph = make_fx(network)(*given)
        with torch.no_grad():
            yield compilation._by_backend("inductor", graph, list(given), in_loops=False)


def given(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(24, 12, generator=generator), torch.randn(12, 12, generator=generator)


def test_what_is_given_back_does_not_change_in_the_next_call(compiled):
    with torch.no_grad():
        first = compiled(*given(0))
        second = compiled(*given(1))
    for found, seed in ((first, 0), (second, 1)):
        for a, b in zip(found, network(*given(seed)), strict=True):
            torch.testing.assert_close(a, b)


def test_a_thread_has_memory_of_its_own(compiled):
    def often(seed):
        x, w = given(seed)
        with torch.no_grad():
            return [compiled(x, w) for _ in range(50)]

    with ThreadPoolExecutor(4) as threads:
        for seed, found in zip(range(4), threads.map(often, range(4)), strict=True):
            expected = network(*given(seed))
            for one in found:
                for a, b in zip(one, expected, strict=True):
                    torch.testing.assert_close(a, b)


def test_the_memory_is_kept(compiled, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    small, large = written(given(0)), written(big())
    assert "_kept.all" in small
    assert "_kept.all" not in large
    # The same results, of which the large ones are made in each call.
    assert small.count("empty_strided_cpu(") == large.count("empty_strided_cpu(")


def big():
    rows = LARGEST // 4 // 12 + 1
    return torch.randn(rows, 12), torch.randn(12, 12)


def written(tensors):
    """The code of the network for such tensors."""
    from torch._inductor.utils import run_and_get_code

    def compile_and_run():
        with torch.no_grad():
            graph = make_fx(network)(*tensors)
            return compilation._by_backend("inductor", graph, list(tensors), in_loops=False)(
                *tensors
            )

    _, (code,) = run_and_get_code(compile_and_run)
    return code


def test_the_code_alone_gives_the_same_without_gradients_and_autocast(compiled):
    """What is called again passes over the layers that torch puts around it."""
    calls = []
    token = watched.set(calls)
    x, w = given(3)
    try:
        with torch.no_grad():
            outputs = compiled(x, w)
    finally:
        watched.reset(token)
    (call,) = calls
    assert all(a is b for a, b in zip(call.outputs, outputs, strict=True))
    places = [next(i for i, y in enumerate((x, w)) if y is z) for z in call.inputs]
    with torch.enable_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        new = x.requires_grad_(), w.requires_grad_()
        again = undisturbed(call.graph, [new[place] for place in places])
    for a, b in zip(again, outputs, strict=True):
        assert not a.requires_grad
        assert torch.equal(a, b)
