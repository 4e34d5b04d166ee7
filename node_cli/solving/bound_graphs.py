"""The graphs of one solve, called without torch looking for them each time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import node_cli.solving.compilation as compilation
from node_cli.solving.compilation import (
    CompiledFunction,
    NotCompiledError,
    System,
    Tensors,
    kind_of,
)
from node_cli.solving.graph_loops import GraphLoop
from node_cli.solving.watched_calls import Call, watched

# A function, and for each of its tensors whether there is none.
_Called = tuple[Hashable, ...]
# The setting, and that.
_Name = tuple[Hashable, _Called]


class BoundGraphs:
    """The compiled functions of one solve, or of its gradients.

    Torch looks for a graph by checking all that it depends on, which takes as long as a step of a
    small field. So it does that once in a solve, for the function that is called first. Where that
    finds the graph and the tensors (as parameters) of the solve before, so would the others, and
    they are those of that solve too. So are those of its gradients, which belong to the field as
    it was in the forward pass.

    Args:
        system: what all calls have in common.
        setting: what the functions depend on beside the field.
        or_plain: a function that cannot be compiled is called as it is; else that is an error.
        forward: of the forward pass, in a backward one.
    """

    def __init__(
        self,
        system: System,
        setting: Hashable,
        or_plain: bool,
        forward: BoundGraphs | None = None,
    ) -> None:
        self._system, self._or_plain, self._setting = system, or_plain, setting
        self._kind = (kind_of(system.field), setting, compilation.BACKEND)
        # Where its graphs are those of this one.
        self._before: _Solve | None = None if forward is None else forward._before
        self._found: dict[_Called, Callable[..., Tensors]] = {}
        self._recipes: dict[_Called, _Recipe] = {}

    def loop(self, function: CompiledFunction, *tensors: Tensor | None) -> GraphLoop | None:
        """A function to be called in a loop; None: torch's checks cannot be left out.

        Args:
            function: compiled to go in a loop.
            tensors: that one call of it could take.

        Raises:
            NotOneKernelError: its graph is not one kernel.
        """
        called: _Called = (function, *[x is None for x in tensors])
        if called not in self._found and self._of_the_solve_before(called) is None:
            self(function, *tensors)
        recipe = self._recipes.get(called)
        return None if recipe is None else recipe.loop()

    def __call__(self, function: CompiledFunction, *tensors: Tensor | None) -> Tensors:
        """What a function gives for tensors of the same shapes each time."""
        # The graph reads them in the order in which the first ones lay.
        given = tuple(None if x is None else x.contiguous() for x in tensors)
        called: _Called = (function, *[x is None for x in tensors])
        again = self._found.get(called) or self._of_the_solve_before(called)
        return self._look_for(function, called, given) if again is None else again(*given)

    def _of_the_solve_before(self, called: _Called) -> Callable[..., Tensors] | None:
        name = (self._setting, called)
        recipe = None if self._before is None else self._before.recipes.get(name)
        again = None if recipe is None else recipe.bound()
        if recipe is not None and again is not None:
            self._found[called], self._recipes[called] = again, recipe
        return again

    def _look_for(
        self, function: CompiledFunction, called: _Called, tensors: Sequence[Tensor | None]
    ) -> Tensors:
        # New objects: the same tensors inside of the field are other inputs.
        given = tuple(None if tensor is None else tensor.detach() for tensor in tensors)
        calls: list[Call] = []
        token = watched.set(calls)
        try:
            outputs = function(self._system, *given)
        except NotCompiledError:
            if not self._or_plain:
                raise
            self._found[called] = self._plain(function)
            return self._found[called](*tensors)
        finally:
            watched.reset(token)
        recipe = _recipe(calls[0], given, outputs) if len(calls) == 1 else None
        again = None if recipe is None else recipe.bound()
        if recipe is None or again is None:
            self._found[called] = lambda *later: function(self._system, *later)
        else:
            self._found[called], self._recipes[called] = again, recipe
            self._note((self._setting, called), recipe)
        return outputs

    def _note(self, name: _Name, recipe: _Recipe) -> None:
        if self._before is None:
            last = _last.get(self._kind)
            if last is None or last.first != name or not recipe.is_like(last.recipes[name]):
                last = _last[self._kind] = _Solve(name, {name: recipe})
            self._before = last
        elif recipe.takes_no_more_than(self._before.recipes[self._before.first]):
            self._before.recipes[name] = recipe

    def _plain(self, function: CompiledFunction) -> Callable[..., Tensors]:
        def plain(*tensors: Tensor | None) -> Tensors:
            with torch.no_grad():
                return function.plain(self._system.content, *tensors)

        return plain


def named(tensors: Sequence[Tensor]) -> tuple[Hashable, ...]:
    """Which tensors these are, for a setting."""
    return tuple((id(tensor), tensor.shape) for tensor in tensors)


@dataclass(frozen=True)
class _Recipe:
    """How a graph is called with other tensors.

    Attributes:
        graph: to be called.
        template: what it takes, tensors held weakly; None in the places of the tensors given.
        slots: places in the template, each with that of a tensor given.
        places: of the results, among its outputs and the tensors given; None: they are its outputs.
        repeat: calls it in a loop; None: it was not made for that.
        outputs: their number.
        plans: of the loop.
    """

    graph: Callable[[list[Any]], Sequence[Tensor]]
    template: tuple[Any, ...]
    slots: tuple[tuple[int, int], ...]
    places: tuple[int, ...] | None
    repeat: Any = None
    outputs: int = 0
    plans: dict[int, Any] = field(default_factory=dict)

    def loop(self) -> GraphLoop | None:
        """To be called in a loop; None: it has none, or one of the tensors is gone."""
        template = self._filled()
        if self.repeat is None or template is None:
            return None
        places = range(self.outputs) if self.places is None else self.places
        return GraphLoop(self.repeat, template, self.slots, places, self.outputs, self.plans)

    def _filled(self) -> list[Any] | None:
        """The template; None: one of the tensors in it is gone."""
        template = [entry() if isinstance(entry, weakref.ref) else entry for entry in self.template]
        if any(a is None and b is not None for a, b in zip(template, self.template, strict=True)):
            return None
        return template

    def bound(self) -> Callable[..., Tensors] | None:
        """To be called with the tensors; None: one of those in the template is gone."""
        template = self._filled()
        if template is None:
            return None
        graph, slots, places = self.graph, self.slots, self.places

        def again(*given: Tensor | None) -> Tensors:
            flat = template.copy()
            for i, j in slots:
                flat[i] = given[j]
            found = undisturbed(graph, flat)
            if places is None:
                return tuple(found)
            results = (*found, *given)
            return tuple(results[place] for place in places)  # type: ignore[misc]

        return again

    def is_like(self, other: _Recipe) -> bool:
        """The same graph, with the same tensors in it."""
        same_size = len(self.template) == len(other.template)
        return (
            self.graph == other.graph and same_size and all(map(_is, self.template, other.template))
        )

    def takes_no_more_than(self, other: _Recipe) -> bool:
        """All tensors in it are in another one too."""
        there = {id(x) for x in other.template}
        return all(id(x) in there for x in self.template if isinstance(x, weakref.ref))


def undisturbed(
    graph: Callable[[list[Any]], Sequence[Tensor]], flat: list[Any]
) -> Sequence[Tensor]:
    """Call a graph, whose operations autograd does not see and autocast does not change."""
    if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            return graph(flat)
    return graph(flat)


def _is(a: Any, b: Any) -> bool:
    """References are equal where they are one: else the tensors themselves would be compared."""
    return a is b or (not isinstance(a, weakref.ref) and not isinstance(b, weakref.ref) and a == b)


def _recipe(call: Call, tensors: Sequence[Tensor | None], outputs: Tensors) -> _Recipe | None:
    """None: it cannot be said what goes where."""
    slots = tuple(
        (i, j) for i, x in enumerate(call.inputs) for j, y in enumerate(tensors) if x is y
    )
    filled = {i for i, _ in slots}
    template = tuple(
        None if i in filled else weakref.ref(x) if isinstance(x, Tensor) else x
        for i, x in enumerate(call.inputs)
    )
    # What is given back as it came is no output of the graph.
    everything = (*call.outputs, *tensors)
    places = tuple(next((i for i, x in enumerate(everything) if x is y), -1) for y in outputs)
    if -1 in places:
        return None
    in_order = places == tuple(range(len(call.outputs)))
    made = None if in_order else places
    # Each call of a loop writes where the next one reads, so that all has to lie in one order.
    lie_in_order = all(isinstance(x, Tensor) and x.is_contiguous() for x in call.outputs)
    repeat = call.repeat if lie_in_order else None
    return _Recipe(call.graph, template, slots, made, repeat, len(call.outputs))


@dataclass
class _Solve:
    """The graphs of a solve.

    Attributes:
        first: what was looked for first.
        recipes: of all.
    """

    first: _Name
    recipes: dict[_Name, _Recipe]


_last: dict[Hashable, _Solve] = {}
