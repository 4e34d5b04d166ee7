"""Small products as sums, and loops along the batch: the same numbers in another order."""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from node_cli.solving.batch_last import put_batch_last
from node_cli.solving.decompositions import Decompositions
from node_cli.solving.small_products import product
from node_cli.solving.state import Layout
from node_cli.solving.turned_layout import TurnedLayout

aten = torch.ops.aten


def drawn(*shape, turned=False):
    generator = torch.Generator().manual_seed(len(shape) + sum(shape))
    made = torch.randn(shape[::-1] if turned else shape, dtype=torch.float64, generator=generator)
    return made.t() if turned else made


@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(
    "sizes", [(40, 2, 7), (40, 7, 2), (2, 7, 40), (7, 2, 40), (3, 40, 7), (7, 40, 3), (40, 1, 1)]
)
def test_a_product_with_a_short_side_is_that_of_torch(sizes, turned):
    n, k, m = sizes
    a, b = drawn(n, k, turned=turned[0]), drawn(k, m, turned=turned[1])
    found = product(a, b)
    assert found is not None
    torch.testing.assert_close(found, a @ b, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("sizes", [(40, 5, 7), (5, 40, 7), (7, 5, 40), (3, 2, 3), (40, 0, 2)])
def test_others_are_left_to_the_library(sizes):
    n, k, m = sizes
    assert product(drawn(n, k), drawn(k, m)) is None
    assert product(drawn(40, 2).half(), drawn(2, 7).half()) is None


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        (aten.mm.default, ((40, 2), (2, 7))),
        (aten.mv.default, ((40, 7), (7,))),
        (aten.addmm.default, ((7,), (40, 2), (2, 7))),
        (aten.addmm.default, ((40, 7), (40, 2), (2, 7))),
    ],
)
def test_operations_are_traced_as_sums(operation, arguments):
    given = [drawn(*shape) for shape in arguments]
    traced = make_fx(lambda *x: operation(*x), decomposition_table=Decompositions())(*given)
    assert operation not in {node.target for node in traced.graph.nodes}
    torch.testing.assert_close(traced(*given), operation(*given), rtol=1e-13, atol=1e-14)


def test_what_is_scaled_stays_as_it_is():
    given = drawn(7), drawn(40, 2), drawn(2, 7)
    traced = make_fx(
        lambda *x: aten.addmm.default(*x, beta=2, alpha=3), decomposition_table=Decompositions()
    )(*given)
    assert aten.addmm.default in {node.target for node in traced.graph.nodes}


def test_loops_over_what_lies_along_the_batch_are_turned():
    def field(z, bias, column, row):
        h = torch.tanh(z * 2.0 + bias)
        return torch.where(h > row, h * column, z), h.sum(dim=0)

    given = drawn(40, 3, turned=True), drawn(3), drawn(40, 1), drawn(1, 3)
    traced = make_fx(field, tracing_mode="fake")(*given)
    before = traced(*given)
    put_batch_last(traced.graph)
    traced.recompile()
    for a, b in zip(traced(*given), before, strict=True):
        assert torch.equal(a, b)
    elementwise = [
        n for n in traced.graph.nodes if torch.Tag.pointwise in getattr(n.target, "tags", ())
    ]
    assert len(elementwise) == 6
    assert {tuple(node.meta["val"].shape) for node in elementwise} == {(3, 40)}


def test_loops_over_other_matrices_stay():
    given = drawn(40, 3), drawn(40, 1, turned=True)
    traced = make_fx(lambda a, b: (torch.tanh(a), torch.exp(b)), tracing_mode="fake")(*given)
    before = [node.target for node in traced.graph.nodes]
    put_batch_last(traced.graph)
    assert [node.target for node in traced.graph.nodes] == before


def test_a_product_of_a_column_and_a_row_goes_with_what_lies_turned():
    given = drawn(40, 1), drawn(3), drawn(40, 3, turned=True)
    traced = make_fx(lambda a, b, c: (-(a * b)) * c, tracing_mode="fake")(*given)
    put_batch_last(traced.graph)
    traced.recompile()
    shapes = [
        tuple(node.meta["val"].shape)
        for node in traced.graph.nodes
        if node.target in (aten.mul.Tensor, aten.neg.default)
    ]
    assert shapes == [(3, 40)] * 3
    torch.testing.assert_close(traced(*given), -(given[0] * given[1]) * given[2])


def test_what_reads_a_matrix_along_rows_stays():
    given = drawn(40, 3), drawn(3), drawn(40, 3, turned=True)
    traced = make_fx(lambda a, b, c: (a * b, c * c), tracing_mode="fake")(*given)
    put_batch_last(traced.graph)
    first = next(node for node in traced.graph.nodes if node.target is aten.mul.Tensor)
    assert tuple(first.meta["val"].shape) == (40, 3)


def test_tanh_as_a_rational_function():
    x = torch.cat([torch.linspace(-12, 12, 100_001), torch.logspace(-30, 0, 1001)])
    traced = make_fx(torch.tanh, decomposition_table=Decompositions())(x)
    assert aten.tanh.default not in {node.target for node in traced.graph.nodes}
    exact = x.double().tanh()
    where = exact != 0
    error = (traced(x).double() - exact)[where] / exact[where]
    assert error.abs().max() < 4e-7
    ends = torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0])
    torch.testing.assert_close(traced(ends), ends.tanh(), equal_nan=True)
    twice = make_fx(torch.tanh, decomposition_table=Decompositions())(x.double())
    assert aten.tanh.default in {node.target for node in twice.graph.nodes}


@pytest.mark.parametrize(
    "state",
    [
        drawn(40, 2),
        drawn(40, 9),
        drawn(5, 2),
        drawn(3, 8, 2),
        # Sums of squares of whole numbers are the same in each order.
        ((8 * drawn(1, 40, 4)).round(), (8 * drawn(40)).round()),
        torch.zeros(4, 4, 4),
        (drawn(40, 2), drawn(40), drawn(40, 1)),
    ],
)
def test_a_state_comes_back_as_it_was(state):
    layout, turned = Layout(state), TurnedLayout(state)
    packed = turned.pack(state)
    again = turned.unpack(packed)
    at_two_times = turned.unpack(torch.stack([packed, 2 * packed]), leading=(2,))
    for a, b, c in zip(
        *((x,) if isinstance(x, torch.Tensor) else x for x in (state, again, at_two_times)),
        strict=True,
    ):
        assert torch.equal(a, b)
        assert torch.equal(torch.stack([a, 2 * a]), c)
    assert torch.equal(turned.norm(packed), layout.norm(layout.pack(state)))


def test_parts_of_few_columns_lie_column_by_column():
    points = drawn(40, 2)
    state = (points, drawn(40))
    packed = TurnedLayout(state).pack(state)
    assert torch.equal(packed[:40], points[:, 0])
    elsewhere = points.to("meta")
    assert TurnedLayout(elsewhere).pack(elsewhere).shape == (40, 2)
