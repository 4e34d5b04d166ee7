"""Which call of a graph is repeated: the code alone, where torch's layers change nothing."""

import pytest
import torch

from node_cli.solving.watched_calls import Call, noted, shortest, watched

X, Y, A, B = (torch.zeros(n) for n in range(1, 5))


def layers(flat):
    return flat


def code(flat):
    return flat


@pytest.fixture
def calls():
    found = []
    token = watched.set(found)
    yield found
    watched.reset(token)


def test_the_code_alone_where_it_takes_and_gives_the_same(calls):
    assert noted(code, (Y, X), (A, B)) == (A, B)
    shortest(calls, 0, Call(layers, (X, Y), [A, B]))
    assert [call.graph for call in calls] == [code]


@pytest.mark.parametrize(
    "inner",
    [
        [],
        [Call(code, (X,), (B, A))],
        [Call(code, (X,), (A,))],
        [Call(code, (X.clone(),), (A, B))],
        [Call(code, (X,), (A, B)), Call(code, (X,), (A, B))],
    ],
)
def test_all_layers_where_it_does_not(calls, inner):
    before = Call(code, (Y,), (A,))
    calls.extend([before, *inner])
    shortest(calls, 1, Call(layers, (X, Y), (A, B)))
    assert [call.graph for call in calls] == [code, layers]


def test_nothing_is_noted_where_nobody_watches():
    assert noted(code, (X,), (A,)) == (A,)
    assert watched.get() is None
