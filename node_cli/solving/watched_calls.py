"""Calls of compiled graphs, seen by who wants to repeat them without torch's checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from torch import Tensor


class Call(NamedTuple):
    """A call of a graph.

    Attributes:
        graph: takes a list, which it empties.
        inputs: what was in the list.
        outputs: what it gave.
        repeat: calls it many times, as ``kernel_loops`` has it; None: that was not asked for.
    """

    graph: Callable[[list[Any]], Sequence[Tensor]]
    inputs: tuple[Any, ...]
    outputs: Sequence[Tensor]
    repeat: Any = None


# Where it is a list, it gets each call.
watched: ContextVar[list[Call] | None] = ContextVar("watched", default=None)


def noted(
    graph: Callable[[list[Any]], Sequence[Tensor]],
    inputs: tuple[Any, ...],
    outputs: Sequence[Tensor],
    repeat: Any = None,
) -> Sequence[Tensor]:
    """The outputs, of which the watcher is told: the code of a graph ends with this."""
    calls = watched.get()
    if calls is not None:
        calls.append(Call(graph, inputs, outputs, repeat))
    return outputs


def shortest(calls: list[Call], since: int, call: Call) -> None:
    """Put in place of the calls since then the one that does the same with the fewest checks.

    Torch calls a graph's code through several layers. Where they change neither what goes in nor
    what comes out, the code alone does the same.
    """
    inner = calls[since:]
    calls[since:] = [inner[0] if len(inner) == 1 and _are_one(inner[0], call) else call]


def _are_one(inner: Call, outer: Call) -> bool:
    return (
        len(inner.outputs) == len(outer.outputs)
        and all(a is b for a, b in zip(inner.outputs, outer.outputs, strict=True))
        and all(any(a is b for b in outer.inputs) for a in inner.inputs)
    )
