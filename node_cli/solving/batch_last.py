"""Loops over matrices in the order in which these lie in memory.

Torch's compiler keeps the shape of a result, and not the order of its numbers: the loops over
``[N, M]`` run along M, also where all that they read lies along N. Here such an operation is
turned, so that it says what it means.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import fx

from node_cli.solving.graph_nodes import added_node, is_elementwise, shape_of

_PERMUTE = torch.ops.aten.permute.default
_UNSQUEEZE = torch.ops.aten.unsqueeze.default


def put_batch_last(graph: fx.Graph) -> None:
    """Turn the elementwise operations whose results are ``[N, M]`` and lie along N.

    Those that could lie either way, as products of a column and a row do, go with the others.
    """
    for node in _to_be_turned(graph):
        with graph.inserting_before(node):
            node.replace_all_uses_with(_turned(graph, node))
        graph.erase_node(node)


def _to_be_turned(graph: fx.Graph) -> list[fx.Node]:
    nodes = [node for node in graph.nodes if is_elementwise(node) and _is_matrix(node)]
    found = {node for node in nodes if _lies_turned(node)}
    free = {node for node in nodes if node not in found and not _reads(node, _lies_along_rows)}
    found |= {node for node in free if _reads(node, _lies_turned)}
    before = -1
    while before != len(found):
        before = len(found)
        for node in free - found:
            around = (*node.all_input_nodes, *node.users)
            if any(one in found and shape_of(one) == shape_of(node) for one in around):
                found.add(node)
    return [node for node in nodes if node in found]


def _reads(node: fx.Node, lies: Callable[[fx.Node], bool]) -> bool:
    """Whether it reads a matrix that lies so, and that is not computed element by element."""
    return any(
        shape_of(one) == shape_of(node) and lies(one)
        for one in node.all_input_nodes
        if not is_elementwise(one)
    )


def _lies_along_rows(node: fx.Node) -> bool:
    _, columns = shape_of(node)
    return bool(node.meta["val"].stride() == (columns, 1))


def _is_matrix(node: fx.Node) -> bool:
    return len(shape_of(node)) == 2 and 1 not in shape_of(node)


def _lies_turned(node: fx.Node) -> bool:
    rows, _ = shape_of(node)
    return bool(node.meta["val"].stride() == (1, rows))


def _turned(graph: fx.Graph, node: fx.Node) -> fx.Node:
    """The same values, by an operation over ``[M, N]``."""

    def turn(argument: fx.Node) -> fx.Node:
        dimensions = argument.meta["val"].ndim
        if dimensions == 2:
            return added_node(graph, _PERMUTE, (argument, [1, 0]))
        return added_node(graph, _UNSQUEEZE, (argument, 1)) if dimensions == 1 else argument

    arguments = fx.map_arg(node.args, turn)
    options = fx.map_arg(node.kwargs, turn)
    found = added_node(graph, node.target, arguments, options)
    return added_node(graph, _PERMUTE, (found, [1, 0]))
