"""Compiled steps run as CUDA graphs, to measure what that would gain; it is no part of node-cli.

From its second call on, a compiled graph is recorded and replayed: what it is given is copied into
the tensors of the recording, and what it gives is copied out of them, as the engine keeps the state
of each step while the next replay writes over it. docs/speed.md says why it is not done so there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from side_by_side import Step
from torch import Tensor, nn

from node_cli.solving import compilation

BACKEND = "inductor as CUDA graphs"
Graph = Callable[..., Sequence[Any]]
# Runs a function once and gives what runs it again, into the results that it gives too.
Record = Callable[[Callable[[], Sequence[Any]]], tuple[Callable[[], None], Sequence[Any]]]

# Why graphs were not recorded, each reason once.
refused: list[str] = []


def record_on_cuda(function: Callable[[], Sequence[Any]]) -> tuple[Callable[[], None], Any]:
    """The kernels of a function, as a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    # Autograd calls the gradients of steps in a thread of its own.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = function()
    return graph.replay, outputs


class Recorded:
    """A graph in fixed places of memory.

    Parameters stay where they are; a graph that writes into other inputs cannot be recorded so.

    Args:
        graph: to be recorded.
        given: what it is called with.
        record: how.
    """

    def __init__(self, graph: Graph, given: Sequence[Any], record: Record) -> None:
        self._moves = [i for i, x in enumerate(given) if _moves(x)]
        static = [x.clone() if _moves(x) else x for x in given]
        self._static = [static[i] for i in self._moves]
        self._replay, self._outputs = record(lambda: graph(*static))

    def __call__(self, given: Sequence[Any]) -> Sequence[Any]:
        """Results of their own."""
        if self._moves:
            torch._foreach_copy_(self._static, [given[i] for i in self._moves])
        self._replay()
        return [x.clone() if isinstance(x, Tensor) else x for x in self._outputs]


class RecordedGraphs:
    """A compiled graph, recorded for each form of what it is called with.

    Args:
        graph: it.
        record: how.
    """

    def __init__(self, graph: Graph, record: Record) -> None:
        self._graph, self._record = graph, record
        self._found: dict[Any, Callable[[Sequence[Any]], Sequence[Any]] | None] = {}

    def __call__(self, *given: Any) -> Sequence[Any]:
        form = tuple(map(_form, given))
        if form not in self._found:  # the first call loads kernels and chooses among them
            self._found[form] = None
            return self._graph(*given)
        recorded = self._found[form]
        if recorded is None:
            try:
                recorded = self._found[form] = Recorded(self._graph, given, self._record)
            except RuntimeError as error:
                why = str(error).strip().splitlines()[0]
                if why not in refused:
                    refused.append(why)
                recorded = self._found[form] = lambda later: self._graph(*later)
        with torch.no_grad():
            return recorded(given)


def _moves(given: Any) -> bool:
    return isinstance(given, Tensor) and not isinstance(given, nn.Parameter)


def _form(given: Any) -> Any:
    if not isinstance(given, Tensor):
        return given
    place = None if _moves(given) else given.data_ptr()
    return given.shape, given.stride(), given.dtype, given.device, place


def register(name: str = BACKEND, inner: str = "inductor", record: Record = record_on_cuda) -> None:
    """Make a backend of ``torch.compile`` that compiles by another one and records the graphs."""

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> RecordedGraphs:
        return RecordedGraphs(compilation._by_backend(inner, graph, inputs), record)

    torch._dynamo.register_backend(backend, name=name)


def as_graphs(step: Step, name: str = BACKEND) -> Step:
    """A step whose solves are compiled by that backend."""

    def run(number: int) -> float:
        before, compilation.BACKEND = compilation.BACKEND, name
        try:
            return step(number)
        finally:
            compilation.BACKEND = before

    return run
