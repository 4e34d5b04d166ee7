"""A small network that is called for many points at once, as one graph with one of its gradient.

A decoder of a latent trajectory is called at all times of all series. Operation by operation, each
of its layers writes and reads a hundred numbers for a point of which it is asked a few.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from node_cli.solving.bound_graphs import BoundGraphs, named
from node_cli.solving.compilation import NotCompiledError, System, can_be_traced, done, kind_of
from node_cli.solving.compiled_runge_kutta import compiled
from node_cli.solving.step_graph import pulled_back

# Points that are computed together at most, where their number can be divided so.
_MOST = 4096


@dataclass(frozen=True)
class Called:
    """What calls of one module have in common.

    Attributes:
        module: of points alone: what it gives for one does not depend on the others.
        parameters: that get gradients.
    """

    module: nn.Module
    parameters: tuple[Tensor, ...]

    @property
    def kind_for_graphs(self) -> Hashable:
        """By which is known what cannot be compiled: its layers and their sizes."""
        layers = tuple(type(layer) for layer in self.module.modules())
        return (layers, tuple(parameter.shape for parameter in self.module.parameters()))


def call_for_points(module: nn.Module, x: Tensor, what: str) -> Tensor:
    """``module(x)`` as a graph, or as it is where that cannot be; the gradient computes it again.

    On a GPU it is called as it is.

    Args:
        module: of points ``[N, M]``; gives ``[N, D]``. A function of them and of its parameters,
            that draws nothing and keeps nothing.
        x: the points ``[..., M]``.
        what: it computes, for the lines that tell of a compilation.
    """
    points = x.reshape(-1, x.shape[-1])
    parameters = tuple(p for p in module.parameters() if p.requires_grad)
    found: Tensor | None = None
    called = Called(module, parameters)
    suits = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    if suits and kind_of(called) not in done.refused and can_be_traced():
        with suppress(NotCompiledError):
            found = _Call.apply(called, what, points.t(), *parameters).t()
    if found is None:
        found = module(points)
    return found.reshape(*x.shape[:-1], found.shape[-1])


class _Call(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, called: Called, what: str, x: Tensor, *parameters: Tensor) -> Tensor:
        system = System(called, called, called.parameters)
        ctx.called, ctx.what, ctx.system = called, what, system
        ctx.graphs = BoundGraphs(system, what, or_plain=False)
        ctx.save_for_backward(x, *parameters)  # torch refuses those that were changed since
        function = compiled(values, what)
        found = [ctx.graphs(function, part)[0] for part in _parts(x)]
        return torch.cat(found, dim=1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, *_ = ctx.saved_tensors  # which refuses parameters that were changed since
        parameters = ctx.called.parameters
        setting = (ctx.what, *named(parameters))
        graphs = BoundGraphs(ctx.system, setting, or_plain=True, forward=ctx.graphs)
        sums = tuple(torch.zeros_like(parameter) for parameter in parameters)
        function = compiled(values_backward, f"the gradient of {ctx.what}")
        found = []
        for part, gradient in zip(_parts(x), _parts(*gradients), strict=True):
            of_part, *rest = graphs(function, part, gradient, *sums)
            found.append(of_part)
            sums = tuple(rest)
        return None, None, torch.cat(found, dim=1), *sums


def _parts(x: Tensor) -> Sequence[Tensor]:
    """Points ``[M, N]`` in equal parts, whose results stay in the processor's cache."""
    return tuple(x.split(_size(x.shape[1]), dim=1))


@cache
def _size(count: int) -> int:
    return next((size for size in range(_MOST, _MOST // 4, -1) if count % size == 0), count)


def values(called: Called, x: Tensor) -> tuple[Tensor]:
    """What the module gives for points ``[M, N]``, which lie column by column: ``[D, N]``."""
    return (called.module(x.t()).t().contiguous(),)


def values_backward(
    called: Called, x: Tensor, gradient: Tensor, *sums: Tensor
) -> tuple[Tensor, ...]:
    """The gradient of the points, and ``sums`` with those of the parameters."""

    def of_columns(start: Tensor) -> Tensor:
        found: Tensor = called.module(start.t()).t()
        return found

    return pulled_back(of_columns, x, gradient, called.parameters, sums)
