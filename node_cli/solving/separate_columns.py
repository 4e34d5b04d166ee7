"""Columns that a field puts together, computed each for itself.

A field written by hand takes its state apart, computes one column after the other, and stacks them:
``torch.stack((v, -x), dim=-1)``. Torch's compiler writes each stack to memory, point by point, and
reads it back for the next stage of a step. Here what is done with a stack is done with its columns,
so that all stages are one loop over the batch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from node_cli.solving.graph_nodes import added_node, is_elementwise, shape_of
from node_cli.solving.small_products import FEW, MANY

_ATEN = torch.ops.aten

# They give several tensors at once.
_PARTINGS = (_ATEN.unbind.int, _ATEN.split.Tensor, _ATEN.split_with_sizes.default)


class _Columns(NamedTuple):
    """A tensor in parts.

    Attributes:
        dim: along which they lie, counted from the last one: -1, -2.
        parts: nodes of its shape without ``dim``.
    """

    dim: int
    parts: tuple[fx.Node, ...]


# What stands for a node: its columns, or another node.
_Instead = _Columns | fx.Node | None


def separate_columns(graph: fx.Graph) -> None:
    """Change a graph."""
    _Separation(graph).do()


class _Separation:
    def __init__(self, graph: fx.Graph) -> None:
        self._graph = graph
        self._known: dict[fx.Node, _Columns] = {}
        self._whole: dict[tuple[fx.Node, ...], fx.Node] = {}
        self._rules: dict[Any, Callable[[fx.Node], _Instead]] = {
            _ATEN.cat.default: self._cat,
            _ATEN.permute.default: self._permute,
            _ATEN.clone.default: lambda node: self._known.get(_first(node)),
            _ATEN.reshape.default: self._reshape,
            _ATEN.view.default: self._reshape,
            _ATEN.select.int: self._select,
            operator.getitem: self._taken,
            _ATEN.slice.Tensor: self._slice,
            _ATEN.select_scatter.default: self._select_scatter,
            _ATEN.sum.dim_IntList: self._sum,
            _ATEN.sum.default: self._sum,
        }

    def do(self) -> None:
        for node in list(self._graph.nodes):
            rule = self._rules.get(node.target, self._elementwise if is_elementwise(node) else None)
            with self._graph.inserting_before(node):
                found = None if rule is None else rule(node)
                if isinstance(found, fx.Node):
                    node.replace_all_uses_with(found)
                elif found is not None:
                    self._known[node] = found
                elif node.target not in _PARTINGS:
                    self._give_whole(node)
        if self._known:
            self._graph.eliminate_dead_code()

    def _give_whole(self, node: fx.Node) -> None:
        """Nothing is known of what it does: it gets whole tensors."""
        for argument in node.all_input_nodes:
            if argument in self._known:
                node.replace_input_with(argument, self._put_together(argument))
                if node.target is _ATEN.view.default:  # it may lie in another way now
                    node.target = _ATEN.reshape.default

    def _put_together(self, node: fx.Node) -> fx.Node:
        (dim, parts), dimensions = self._known[node], len(shape_of(node))
        found = self._whole.get(parts)
        if found is None:
            rows = [self._new(_ATEN.unsqueeze.default, part, 0) for part in parts]
            found = self._whole[parts] = self._new(_ATEN.cat.default, rows)
        if dim == -dimensions:
            return found
        order = [*range(1, dimensions)]
        order.insert(dimensions + dim, 0)
        return self._new(_ATEN.permute.default, found, order)

    def _new(self, target: Any, *arguments: Any, **options: Any) -> fx.Node:
        return added_node(self._graph, target, arguments, options)

    def _part(self, node: fx.Node, dim: int, place: int) -> fx.Node:
        """Of any tensor; what is the same in all columns has one, or none."""
        columns = self._known.get(node)
        if columns is not None:
            if columns.dim == dim:
                return columns.parts[place]
            node = self._put_together(node)
        shape = shape_of(node)
        if len(shape) < -dim:
            return node
        if node.target is _ATEN.unsqueeze.default and _dim(node, 1, node) == dim:
            return _first(node)
        place = 0 if shape[dim] == 1 else place
        if len(shape) == 1:  # a single number would not count for the dtype of a result
            return self._new(_ATEN.slice.Tensor, node, 0, place, place + 1)
        return self._new(_ATEN.select.int, node, dim, place)

    def _cat(self, node: fx.Node) -> _Instead:
        tensors: Any = node.args[0]
        shape = shape_of(node)
        dim = _dim(node, 1, node)
        if not _pays(node, dim) or any(len(shape_of(x)) != len(shape) for x in tensors):
            return None
        if not all(_is_simple(x) and _dtype(x) == _dtype(node) for x in tensors):
            return None
        return _Columns(
            dim, tuple(self._part(x, dim, i) for x in tensors for i in range(shape_of(x)[dim]))
        )

    def _elementwise(self, node: fx.Node) -> _Instead:
        columns = next((self._known[x] for x in node.all_input_nodes if x in self._known), None)
        if columns is None or torch.Tag.nondeterministic_seeded in node.target.tags:  # type: ignore[union-attr]
            return None
        dim, count = columns.dim, len(columns.parts)
        if len(shape_of(node)) < -dim or shape_of(node)[dim] != count:
            return None
        return _Columns(dim, tuple(self._same(node, dim, place) for place in range(count)))

    def _same(self, node: fx.Node, dim: int, place: int) -> fx.Node:
        """The operation of a node for one column."""

        def part(argument: fx.Node) -> fx.Node:
            return self._part(argument, dim, place)

        arguments, options = fx.map_arg(node.args, part), fx.map_arg(node.kwargs, part)
        return added_node(self._graph, node.target, arguments, options)

    def _permute(self, node: fx.Node) -> _Instead:
        columns = self._known.get(_first(node))
        if columns is None:
            return None
        dimensions = len(shape_of(node))
        given: Any = node.args[1]
        order = [place % dimensions for place in given]
        before = dimensions + columns.dim
        rest = [place - (place > before) for place in order if place != before]
        parts = columns.parts
        if rest != sorted(rest):
            parts = tuple(self._new(_ATEN.permute.default, part, rest) for part in parts)
        return _Columns(order.index(before) - dimensions, parts)

    def _reshape(self, node: fx.Node) -> _Instead:
        whole, after = _first(node), shape_of(node)
        if not all(isinstance(size, int) for size in after):
            return None
        columns = self._known.get(whole)
        if columns is None:
            return self._stacked(node, whole)
        if list(shape_of(whole)) == list(after):
            return columns
        if columns.dim != -1 or not after or after[-1] != len(columns.parts):
            return None
        shape = list(after[:-1])
        return _Columns(
            -1, tuple(self._new(_ATEN.reshape.default, part, shape) for part in columns.parts)
        )

    def _stacked(self, node: fx.Node, whole: fx.Node) -> _Instead:
        """``stack`` along the first dimension is written as ``cat`` and ``reshape``."""
        if whole.target is not _ATEN.cat.default or _dim(whole, 1, whole) != -len(shape_of(whole)):
            return None
        tensors: Any = whole.args[0]
        shape, dim = list(shape_of(node)), -len(shape_of(node))
        if not _pays(node, dim) or any(list(shape_of(x)) != shape[1:] for x in tensors):
            return None
        if not all(_is_simple(x) and _dtype(x) == _dtype(node) for x in tensors):
            return None
        return _Columns(dim, tuple(map(self._kept_whole, tensors)))

    def _kept_whole(self, node: fx.Node) -> fx.Node:
        return self._put_together(node) if node in self._known else node

    def _select(self, node: fx.Node) -> _Instead:
        columns, place = self._known.get(_first(node)), node.args[2]
        if columns is None or columns.dim != _dim(node, 1, _first(node)):
            return None
        return columns.parts[place] if isinstance(place, int) else None

    def _taken(self, node: fx.Node) -> _Instead:
        """One of the parts that ``unbind`` or ``split`` gives."""
        parting, place = _first(node), node.args[1]
        if parting.target not in _PARTINGS:
            return None
        assert isinstance(place, int)
        whole = _first(parting)
        columns = self._known.get(whole)
        of_unbind = parting.target is _ATEN.unbind.int
        if columns is None or columns.dim != _dim(parting, 1 if of_unbind else 2, whole):
            self._give_whole(parting)
            return None
        if of_unbind:
            return columns.parts[place]
        values: Any = parting.meta["val"]
        counts = [value.shape[columns.dim] for value in values]
        first = sum(counts[:place])
        return self._some(node, columns, slice(first, first + counts[place]))

    def _some(self, node: fx.Node, columns: _Columns, places: slice) -> _Instead:
        """Columns next to each other, which are those of ``node``."""
        parts = columns.parts[places]
        if len(parts) == 1:
            dimensions = len(shape_of(node))
            return self._new(_ATEN.unsqueeze.default, parts[0], dimensions + columns.dim)
        return _Columns(columns.dim, parts) if parts else None

    def _slice(self, node: fx.Node) -> _Instead:
        columns = self._known.get(_first(node))
        if columns is None or columns.dim != _dim(node, 1, node):
            return None
        ends = node.args[2:]
        if any(isinstance(end, fx.Node) for end in ends):
            return None
        return self._some(node, columns, slice(*ends))

    def _select_scatter(self, node: fx.Node) -> _Instead:
        """A tensor with another column: the gradient of a selected one is such."""
        if len(node.args) != 4:
            return None
        base, column, _, place = node.args
        dim = _dim(node, 2, node)
        assert isinstance(base, fx.Node)
        assert isinstance(column, fx.Node)
        if not _pays(node, dim) or not isinstance(place, int) or not _is_simple(column):
            return None
        parts = [self._part(base, dim, i) for i in range(shape_of(node)[dim])]
        parts[place] = self._kept_whole(column)
        return _Columns(dim, tuple(parts))

    def _sum(self, node: fx.Node) -> _Instead:
        """Of all numbers."""
        columns = self._known.get(_first(node))
        if columns is None or shape_of(node) or node.kwargs:
            return None
        first, *others = (self._new(_ATEN.sum.default, part) for part in columns.parts)
        for other in others:
            first = self._new(_ATEN.add.Tensor, first, other)
        return first


def _pays(node: fx.Node, dim: int) -> bool:
    """Of few columns with many numbers each, as their states lie (``TurnedLayout``)."""
    shape = shape_of(node)
    value = node.meta["val"]
    if not all(isinstance(size, int) for size in shape) or value.device.type != "cpu":
        return False
    lies_so = len(shape) == 2 or (len(shape) > 2 and dim == -1)
    count = shape[dim] if lies_so else 0
    return 1 < count <= FEW and value.numel() // count >= MANY


# What changes neither the numbers nor how they are computed.
_VIEWS = (
    _ATEN.unsqueeze.default,
    _ATEN.reshape.default,
    _ATEN.view.default,
    _ATEN.permute.default,
    _ATEN.select.int,
    _ATEN.slice.Tensor,
    _ATEN.clone.default,
)


def _is_simple(node: fx.Node) -> bool:
    """Computed element by element, or given: such a column costs nothing for itself."""
    while node.target in _VIEWS:
        node = _first(node)
    if node.target is operator.getitem:
        return _first(node).target in _PARTINGS
    known = (_ATEN.full.default, _ATEN.cat.default, _ATEN.select_scatter.default)
    return node.op == "placeholder" or is_elementwise(node) or node.target in known


def _first(node: fx.Node) -> fx.Node:
    found = node.args[0]
    assert isinstance(found, fx.Node)
    return found


def _dim(node: fx.Node, place: int, of: fx.Node) -> int:
    """The dimension that an operation is given, counted from the last one of a tensor."""
    dim: Any = node.args[place] if len(node.args) > place else node.kwargs.get("dim", 0)
    return int(dim) if dim < 0 else int(dim) - len(shape_of(of))


def _dtype(node: fx.Node) -> torch.dtype:
    value = node.meta["val"]
    assert isinstance(value, Tensor)
    return value.dtype
