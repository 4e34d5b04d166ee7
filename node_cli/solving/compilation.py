"""Functions of tensors, compiled by torch where that can be done."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from node_cli.source_place import place_of

log = logging.getLogger(__name__)

Tensors = tuple[Tensor, ...]

# Torch's own ``tanh`` for vectors takes four times as long; this differs by rounding of 1.
_OPTIONS: dict[str, Any] = {"cpp.use_decompose_tanh": True, "pattern_matcher": False}


_TRACING = {
    "trace_autograd_ops": True,
    # A number that a field changes, such as a count of its calls, is no reason to compile anew.
    "allow_unspec_int_on_nn_module": True,
    "recompile_limit": 64,  # of all fields and solvers of a process
}
# Of ``torch.compile``.
BACKEND = "inductor"


class Compilations:
    """What has been compiled in this process.

    Attributes:
        count: graphs.
        seconds: that it took, all in all.
    """

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0


done = Compilations()

# Told that something is being compiled (True) or cannot be (a sentence).
Teller = Callable[[str], None]
_teller: ContextVar[Teller] = ContextVar("teller", default=log.info)


@contextlib.contextmanager
def compilations_told(tell: Teller) -> Iterator[None]:
    """Inside the ``with`` block, ``tell`` gets a line for each compilation and each refusal."""
    token = _teller.set(tell)
    try:
        yield
    finally:
        _teller.reset(token)


class _Call:
    """A call of a compiled graph."""

    def __init__(self, graph: Callable[..., Sequence[Tensor]], inputs: tuple[Any, ...]) -> None:
        self.graph, self.inputs = graph, inputs
        self.outputs: Sequence[Tensor] = ()


_calls: ContextVar[list[_Call] | None] = ContextVar("calls", default=None)


class CompiledFunction:
    """``function(system, *tensors)``, where ``system`` says what is computed; gives tensors.

    Args:
        function: traced as a whole; its tensors have to be contiguous.
        what: it computes, for the lines that tell of a compilation.
        backend: of ``torch.compile``.
    """

    def __init__(
        self, function: Callable[..., Tensors], what: str, backend: str = "inductor"
    ) -> None:
        self.plain, self._what = function, what
        self._backend = backend
        self._refused: set[type] = set()
        self._compiled = torch.compile(function, fullgraph=True, backend=self._compile)

    def bind(self, system: Any) -> Callable[..., Tensors]:
        """The function of one solve; called again and again with tensors of the same shapes."""
        return _Bound(self, system)

    def call(self, system: Any, *tensors: Tensor | None) -> Tensors:
        """Compiled for what it is called with."""
        kind = kind_of(system)
        if kind in self._refused:
            return self.plain(system, *tensors)
        before = done.seconds
        started = time.perf_counter()
        try:
            with _as_wanted():
                return self._compiled(system, *tensors)
        except Exception as error:  # noqa: BLE001
            if not _is_about_compiling(error):
                raise
            self._refused.add(kind)
            _teller.get()(f"not compiled: {reason(error)}; it runs as it is")
            return self.plain(system, *tensors)
        finally:
            if done.seconds != before:  # with what comes before and after the backend
                done.seconds = before + time.perf_counter() - started

    def _compile(self, graph: Any, inputs: list[Tensor]) -> Callable[..., Any]:
        started = time.perf_counter()
        compiled = self._compiled_by_backend(graph, inputs)
        done.count += 1
        done.seconds += time.perf_counter() - started

        def run(*flat: Any) -> Any:
            outputs = compiled(*flat)
            calls = _calls.get()
            if calls is not None:
                call = _Call(compiled, flat)
                call.outputs = outputs
                calls.append(call)
            return outputs

        return run

    def _compiled_by_backend(self, graph: Any, inputs: list[Tensor]) -> Callable[..., Any]:
        if self._backend != "inductor":
            return torch._dynamo.lookup_backend(self._backend)(graph, inputs)
        from torch._inductor.compile_fx import compile_fx

        return compile_fx(_with_separate_biases(graph), inputs, config_patches=_OPTIONS)


def _with_separate_biases(graph: Any) -> Any:
    """A graph whose linear layers add their bias in an operation of its own.

    It becomes one with what follows, where that goes through the values anyway.
    """
    for node in list(graph.graph.nodes):
        if node.target is torch.nn.functional.linear or node.target is torch._C._nn.linear:
            bias = node.args[2] if len(node.args) > 2 else node.kwargs.get("bias")
            if bias is not None:
                x, weight = node.args[:2]
                with graph.graph.inserting_before(node):
                    product = graph.graph.call_function(torch._C._nn.linear, (x, weight))
                    added = graph.graph.call_function(torch.add, (product, bias))
                node.replace_all_uses_with(added)
                graph.graph.erase_node(node)
    graph.recompile()
    return graph


class _Bound:
    """A compiled function of one solve.

    The first call finds the graph and what it takes beside the tensors, the parameters for example;
    in the others the graph is called at once.
    """

    def __init__(self, function: CompiledFunction, system: Any) -> None:
        self._function, self._system = function, system
        self._direct: Callable[..., Tensors] | None = None
        self._tried = False

    def __call__(self, *tensors: Tensor | None) -> Tensors:
        if self._direct is not None:
            return self._direct(*tensors)
        if self._tried:
            return self._function.call(self._system, *tensors)
        self._tried = True
        # New objects: what the system holds of them is another input.
        tensors = tuple(None if t is None else t.detach() for t in tensors)
        calls: list[_Call] = []
        token = _calls.set(calls)
        try:
            outputs = self._function.call(self._system, *tensors)
        finally:
            _calls.reset(token)
        if len(calls) == 1:
            self._direct = _at_once(calls[0], tensors, outputs)
        return outputs


def _at_once(
    call: _Call, tensors: tuple[Tensor | None, ...], outputs: Tensors
) -> Callable[..., Tensors] | None:
    """The call of a graph with other tensors; None: it cannot be said what goes where."""
    graph, template = call.graph, list(call.inputs)
    slots = [(i, j) for i, x in enumerate(template) for j, y in enumerate(tensors) if x is y]
    from_graph = [_place(x, call.outputs) for x in outputs]
    from_input = [_place(x, tensors) for x in outputs]
    found = [a if a is not None else b for a, b in zip(from_graph, from_input, strict=True)]
    if any(place is None for place in found):
        return None
    places = [(a is None, p) for a, p in zip(from_graph, found, strict=True)]
    for i, _ in slots:
        template[i] = None
    if places == [(False, i) for i in range(len(call.outputs))]:
        places = []

    def direct(*given: Tensor | None) -> Tensors:
        flat = template.copy()
        for i, j in slots:
            flat[i] = given[j]
        results = graph(*flat)
        if not places:
            return tuple(results)
        return tuple(given[p] if is_input else results[p] for is_input, p in places)

    return direct


def _place(x: object, among: Sequence[object]) -> int | None:
    return next((i for i, y in enumerate(among) if x is y), None)


def kind_of(system: Any) -> type:
    """The class of the vector field of a system, by which is known what cannot be compiled."""
    field = system
    while (inner := getattr(field, "field", None)) is not None:
        field = inner
    return type(field)


def cache_folder() -> Path:
    """Where torch keeps what it has compiled: in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "node-cli" / "compiled"


def _is_about_compiling(error: Exception) -> bool:
    from torch._dynamo.exc import TorchDynamoException

    return isinstance(error, TorchDynamoException | AttributeError)


@contextlib.contextmanager
def _as_wanted() -> Iterator[None]:
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder()))
    with torch.no_grad(), torch._dynamo.config.patch(_TRACING):
        yield


def reason(error: BaseException) -> str:
    """Why something could not be compiled, in one line."""
    return str(error).strip().split("\n")[0]


__all__ = ["CompiledFunction", "compilations_told", "done", "place_of"]
