"""What a field stacks is computed column by column: the same numbers, without the stack."""

import pytest
import torch
from torch.func import vjp
from torch.fx.experimental.proxy_tensor import make_fx

from node_cli.solving.decompositions import Decompositions
from node_cli.solving.separate_columns import separate_columns

aten = torch.ops.aten


def drawn(*shape):
    return torch.randn(
        shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape))
    )


def separated(function, *given):
    """Its graph, with columns for themselves; it gives what the function does."""
    traced = make_fx(function, decomposition_table=Decompositions(), tracing_mode="fake")(*given)
    separate_columns(traced.graph)
    traced.graph.lint()
    traced.recompile()
    expected, found = function(*given), traced(*given)
    assert [x.shape for x in found] == [x.shape for x in expected]
    assert [x.dtype for x in found] == [x.dtype for x in expected]
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-14)
    return traced.graph


def count(graph, *targets):
    return sum(node.target in targets for node in graph.nodes)


def pendulum(y):
    angle, speed = y.unbind(-1)
    return torch.stack((speed, -torch.sin(angle) - 0.1 * speed), dim=-1)


def lorenz(y):
    x, v, z = y[..., 0], y[..., 1], y[..., 2]
    return torch.stack((10 * (v - x), x * (28 - z) - v, x * v - 8 / 3 * z), dim=-1)


def halves(y):
    q, p = y[:, :2], y[:, 2:]
    return torch.cat((p, -q * (q * q).sum(dim=1, keepdim=True)), dim=1)


def sides(y):
    q, p = y.chunk(2, dim=-1)
    return torch.cat((p, -q.sin()), dim=-1)


def rows(y):
    first, second = y.t()
    return torch.stack((second * second, first - second)).t()


def three_stages(field):
    """As in a step: the state lies turned, and each stage begins where the ones before led."""

    def step(turned, like):
        slopes = [pack(field(unpack(turned, like)))]
        for h in (0.1, 0.2):
            slopes.append(pack(field(unpack(turned + h * slopes[-1] - 0.01 * slopes[0], like))))
        end = turned + 0.3 * slopes[-1] * torch.tensor(0.5, dtype=turned.dtype)
        error = (slopes[2] - slopes[0]) / (1 + torch.maximum(turned.abs(), end.abs()))
        return end, slopes[-1], error.square().sum().sqrt()

    return step


def pack(y):
    return y.reshape(-1, y.shape[-1]).t().contiguous()


def unpack(turned, like):
    return turned.mT.reshape(like.shape)


@pytest.mark.parametrize(
    ("field", "shape"),
    [
        (pendulum, (40, 2)),
        (pendulum, (20, 1, 2)),
        (lorenz, (40, 3)),
        (lorenz, (5, 4, 3)),
        (sides, (40, 2)),
        (sides, (40, 4)),
        (rows, (40, 2)),
    ],
)
def test_stages_of_a_step_have_no_stacks(field, shape):
    like = drawn(*shape)
    graph = separated(three_stages(field), pack(like), like)
    assert count(graph, aten.cat.default) == 2, "the end and the last slope leave the graph"
    assert count(graph, aten.clone.default) == 0


@pytest.mark.parametrize(
    ("field", "shape"),
    [(pendulum, (40, 2)), (lorenz, (40, 3)), (sides, (40, 4)), (rows, (40, 2))],
)
def test_their_gradients_have_none_either(field, shape):
    like = drawn(*shape)

    def gradient(turned, along, like):
        _, back = vjp(lambda y: three_stages(field)(y, like)[:2], turned)
        return back((along, along))

    graph = separated(gradient, pack(like), pack(like).cos(), like)
    assert count(graph, aten.cat.default) <= 1, "the gradient leaves the graph"


def test_a_stack_that_is_needed_whole_is_put_together_once():
    weight = drawn(2, 7)

    def function(y, weight):
        slope = pendulum(y)
        return slope @ weight, (slope + 1) @ weight, slope.cumsum(dim=0), slope[3:], slope[::2, 1]

    graph = separated(function, drawn(40, 2), weight)
    assert count(graph, aten.cat.default) == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda y: (pendulum(y) * torch.arange(40.0, dtype=y.dtype)[:, None],),
        lambda y: (pendulum(y) * y.new_tensor([1.0, 2.0]),),
        lambda y: (pendulum(y)[None] * drawn(3, 1, 2),),
        lambda y: (pendulum(y)[None] * drawn(3, 40, 1) > 0,),
        lambda y: (torch.where(y > 0, pendulum(y), y.t().cos().t()),),
        lambda y: (pendulum(y).sum(dim=0), pendulum(y).sum(dim=1), pendulum(y).mean()),
        lambda y: (pendulum(y).sum(dim=(0, 1), keepdim=True),),
        lambda y: (pendulum(y).flip(-1), pendulum(y)[:, -1:], pendulum(y)[:, [1, 0]]),
        lambda y: (pendulum(y).to(torch.float32) * 2,),
        lambda y: (pendulum(y.float()) * torch.tensor([1.0, 3.0], dtype=torch.float64),),
        lambda y: (pendulum(y.float()) * torch.tensor(3.0, dtype=torch.float64),),
        lambda y: (pendulum(y.float()) + torch.ones(1, dtype=torch.float64),),
        lambda y: (torch.stack((y[:, 0].float(), y[:, 1].float()), dim=0) / y.t(),),
        lambda y: (pendulum(y).select_scatter(y[:, 0] * 2, 1, -1) + 1,),
        lambda y: (pendulum(y).reshape(2, 40) + 1, pendulum(y).reshape(4, 10, 2) + 1),
        lambda y: (pendulum(pendulum(y).reshape(8, 5, 2).transpose(0, 1)),),
        lambda y: (torch.stack((pendulum(y), y), dim=1).sin(), torch.stack((y, pendulum(y))) + 1),
        lambda y: (torch.cat((pendulum(y), y.mean(dim=1, keepdim=True)), dim=1).exp(),),
    ],
)
def test_whatever_follows_a_stack_gives_the_same(function):
    separated(function, drawn(40, 2))


def test_channels_stay_as_they_are():
    def function(y):
        return (torch.cat((y.sin(), y[:, :1]), dim=1) + 1,)

    graph = separated(function, drawn(4, 2, 5, 5))
    assert count(graph, aten.add.Tensor) == 1


@pytest.mark.parametrize("shape", [(3, 2), (40, 5)])
def test_small_or_wide_ones_stay_as_they_are(shape):
    def function(y):
        return (torch.stack([column.sin() for column in y.unbind(-1)], dim=-1) + 1,)

    graph = separated(function, drawn(*shape))
    assert count(graph, aten.cat.default) == 1
    assert count(graph, aten.add.Tensor) == 1
