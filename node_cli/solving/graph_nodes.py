"""Nodes of the graphs that torch's compiler makes code from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx


def is_elementwise(node: fx.Node) -> bool:
    """Whether each number of the result depends on the numbers in its place alone."""
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and torch.Tag.pointwise in target.tags


def shape_of(node: fx.Node) -> Sequence[int]:
    """The shape of its result; empty where that is no tensor."""
    value = node.meta.get("val")
    return value.shape if isinstance(value, Tensor) else ()


def added_node(
    graph: fx.Graph, target: Any, arguments: Sequence[Any], options: dict[str, Any] | None = None
) -> fx.Node:
    """A new call of an operation, where the graph inserts."""
    node = graph.call_function(target, tuple(arguments), options or {})
    values = fx.map_arg((node.args, node.kwargs), lambda argument: argument.meta["val"])
    node.meta["val"] = target(*values[0], **values[1])
    return node
