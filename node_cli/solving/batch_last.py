"""Loops over matrices in the order in which these lie in memory.

Torch's compiler keeps the shape of a result, and not the order of its numbers: the loops over
``[N, M]`` run along M, also where all that they read lies along N. Here such an operation is
turned, so that it says what it means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

_PERMUTE = torch.ops.aten.permute.default
_UNSQUEEZE = torch.ops.aten.unsqueeze.default


class BatchLast(CustomGraphPass):
    """Turns the elementwise operations whose results are ``[N, M]`` and lie along N."""

    def __call__(self, graph: fx.Graph) -> None:
        """Change a graph."""
        for node in list(graph.nodes):
            if _is_elementwise(node) and _lies_turned(node.meta.get("val")):
                with graph.inserting_before(node):
                    node.replace_all_uses_with(_turned(graph, node))
                graph.erase_node(node)

    def uuid(self) -> Any:
        """Part of the key of torch's cache."""
        return get_hash_for_files((__file__,))


def _is_elementwise(node: fx.Node) -> bool:
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and torch.Tag.pointwise in target.tags


def _lies_turned(value: object) -> bool:
    if not isinstance(value, Tensor) or value.ndim != 2 or 1 in value.shape:
        return False
    return value.stride() == (1, value.shape[0])


def _turned(graph: fx.Graph, node: fx.Node) -> fx.Node:
    """The same values, by an operation over ``[M, N]``."""

    def turn(argument: fx.Node) -> fx.Node:
        dimensions = argument.meta["val"].ndim
        if dimensions == 2:
            return _call(graph, _PERMUTE, (argument, [1, 0]))
        return _call(graph, _UNSQUEEZE, (argument, 1)) if dimensions == 1 else argument

    arguments = fx.map_arg(node.args, turn)
    options = fx.map_arg(node.kwargs, turn)
    found = _call(graph, node.target, arguments, options)
    return _call(graph, _PERMUTE, (found, [1, 0]))


def _call(
    graph: fx.Graph, target: Any, arguments: Sequence[Any], options: dict[str, Any] | None = None
) -> fx.Node:
    node = graph.call_function(target, tuple(arguments), options or {})
    values = fx.map_arg((node.args, node.kwargs), lambda argument: argument.meta["val"])
    node.meta["val"] = target(*values[0], **values[1])
    return node
