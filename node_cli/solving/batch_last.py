"""Loops over matrices in the order in which these lie in memory.

Torch's compiler keeps the shape of a result, and not the order of its numbers: the loops over
``[N, M]`` run along M, also where all that they read lies along N. Here such an operation is
turned, so that it says what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

import node_cli.solving.kept_buffers as kept_buffers

_PERMUTE = torch.ops.aten.permute.default
_UNSQUEEZE = torch.ops.aten.unsqueeze.default


class BatchLast(CustomGraphPass):
    """Turns the elementwise operations whose results are ``[N, M]`` and lie along N.

    Those that could lie either way, as products of a column and a row do, go with the others.
    """

    def __call__(self, graph: fx.Graph) -> None:
        """Change a graph."""
        for node in _to_be_turned(graph):
            with graph.inserting_before(node):
                node.replace_all_uses_with(_turned(graph, node))
            graph.erase_node(node)

    def uuid(self) -> Any:
        """Part of the key of torch's cache."""
        return get_hash_for_files((__file__, kept_buffers.__file__))


def _to_be_turned(graph: fx.Graph) -> list[fx.Node]:
    nodes = [node for node in graph.nodes if _is_elementwise(node) and _is_matrix(node)]
    found = {node for node in nodes if _lies_turned(node)}
    free = {node for node in nodes if node not in found and not _reads(node, _lies_along_rows)}
    found |= {node for node in free if _reads(node, _lies_turned)}
    before = -1
    while before != len(found):
        before = len(found)
        for node in free - found:
            around = (*node.all_input_nodes, *node.users)
            if any(one in found and _shape(one) == _shape(node) for one in around):
                found.add(node)
    return [node for node in nodes if node in found]


def _reads(node: fx.Node, lies: Callable[[fx.Node], bool]) -> bool:
    """Whether it reads a matrix that lies so, and that is not computed element by element."""
    return any(
        _shape(one) == _shape(node) and lies(one)
        for one in node.all_input_nodes
        if not _is_elementwise(one)
    )


def _lies_along_rows(node: fx.Node) -> bool:
    _, columns = _shape(node)
    return bool(node.meta["val"].stride() == (columns, 1))


def _shape(node: fx.Node) -> Sequence[int]:
    value = node.meta.get("val")
    return value.shape if isinstance(value, Tensor) else ()


def _is_elementwise(node: fx.Node) -> bool:
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and torch.Tag.pointwise in target.tags


def _is_matrix(node: fx.Node) -> bool:
    return len(_shape(node)) == 2 and 1 not in _shape(node)


def _lies_turned(node: fx.Node) -> bool:
    rows, _ = _shape(node)
    return bool(node.meta["val"].stride() == (1, rows))


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
