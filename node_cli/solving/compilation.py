"""Functions of tensors, compiled by torch where that can be done."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextvars import ContextVar
from functools import cache
from itertools import count
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple, NoReturn, cast

import torch
from torch import Tensor, fx

from node_cli.solving.field_result import name_of
from node_cli.solving.graph_loops import NotOneKernelError
from node_cli.solving.random_states import RandomStates
from node_cli.solving.watched_calls import Call, shortest, watched

log = logging.getLogger(__name__)

Tensors = tuple[Tensor, ...]

# Of ``torch.compile``.
BACKEND = "inductor"
_OPTIONS: dict[str, Any] = {
    # The compiler's own tanh takes three times as long; this one differs by rounding of 1.
    "cpp.use_decompose_tanh": True,
    # A sum after a product is computed with what follows it, and not by a pass of its own.
    "pattern_matcher": False,
    "cpp.enable_floating_point_contract_flag": "fast",
}
_TRACING = {
    "trace_autograd_ops": True,
    # A number that a field changes, such as a count of its calls, is no reason to compile anew.
    "allow_unspec_int_on_nn_module": True,
    "recompile_limit": 256,  # of all fields, solvers and shapes of a process
    "skip_nnmodule_hook_guards": False,  # hooks of modules come and go
}
# A field that is compiled so many times by one function and method changes too much for it to pay.
_MOST_OF_A_FIELD = 12


_numbers = count()  # of functions in this process


class Compilations:
    """What has been compiled in this process.

    Attributes:
        count: graphs.
        seconds: that it took, all in all.
        refused: why fields of a class are not compiled.
    """

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.refused: dict[object, str] = {}


done = Compilations()

# Gets a line, and whether it stays or only says what is being done.
Teller = Callable[[str, bool], None]
_teller: ContextVar[Teller] = ContextVar("teller", default=lambda text, _: log.info("%s", text))


@contextlib.contextmanager
def told(tell: Teller) -> Iterator[None]:
    """Inside the ``with`` block, ``tell`` gets a line for each compilation and each refusal."""
    token = _teller.set(tell)
    try:
        yield
    finally:
        _teller.reset(token)


class NotCompiledError(Exception):
    """A function cannot be compiled for what it is called with."""


class System(NamedTuple):
    """What a function computes with, beside tensors that change from call to call.

    Attributes:
        content: its first argument.
        field: the vector field in it, by whose class is known what cannot be compiled.
        parameters: the only tensors in it that may need a gradient; None: no other ones would get
            it without compilation either.
        method: numbers in it that are constants in a graph.
        weights: parameters in it, as far as they are known; a graph that goes in a loop is for
            their sizes alone.
    """

    content: Any
    field: object
    parameters: Sequence[Tensor] | None
    method: Hashable = None
    weights: Sequence[Tensor] = ()


class CompiledFunction:
    """``function(content, *tensors)`` that gives tensors, compiled as a whole without gradients.

    Args:
        function: no two of the tensors that it is given are one.
        what: it computes, for the lines that tell of a compilation.
        backend: of ``torch.compile``.
        in_loops: its graph is one kernel, that can be called in a loop, or is not made.
    """

    def __init__(
        self, function: Callable[..., Tensors], what: str, backend: str, in_loops: bool = False
    ) -> None:
        self.plain, self._what, self._backend, self._in_loops = function, what, backend, in_loops
        self._compiled: dict[Hashable, Callable[..., Tensors]] = {}
        self._times: dict[Hashable, int] = {}
        self._not_one: set[Hashable] = set()

    def __call__(self, system: System, *tensors: Tensor | None) -> Tensors:
        """Call it compiled.

        Raises:
            NotCompiledError: that cannot be done; from the second time on it is known at once.
            NotOneKernelError: likewise, where it was to go in a loop.
        """
        kind = kind_of(system.field)
        if kind in done.refused:
            raise NotCompiledError(done.refused[kind])
        name = self._name_of(kind, system, tensors)
        if name in self._not_one:
            raise NotOneKernelError
        made: list[RandomStates] = []
        token, started = _going_on.set(_GoingOn(system, made)), time.perf_counter()
        try:
            with _as_wanted():
                found = self._of(name)(system.content, *tensors)
                if made and self._draws(name, system, tensors, made[0]):
                    made[0].restore()
                    refuse(system, "it draws random numbers, which its gradient would draw anew")
            return found
        except Exception as error:
            if any(isinstance(cause, NotOneKernelError) for cause in _causes(error)):
                self._not_one.add(name)
                raise NotOneKernelError from error
            why = _why_not(error)
            if why is None:
                raise
            refuse(system, why, error)
        finally:
            _going_on.reset(token)
            if made:
                done.seconds += time.perf_counter() - started

    def _name_of(
        self, kind: object, system: System, tensors: Sequence[Tensor | None]
    ) -> tuple[Hashable, ...]:
        """What one function is for: fields of a kind, a method, and in loops sizes."""
        if not self._in_loops:
            return kind, system.method
        sizes = (None if x is None else x.shape for x in (*system.weights, *tensors))
        return (kind, system.method, *sizes)

    def _of(self, name: Hashable) -> Callable[..., Tensors]:
        """The function of a name.

        Torch remembers by the file, line and name of a function what has changed from call to call,
        and makes it an input of the graph. So each in a process gets a name of its own: else the
        coefficients of the second method would be inputs, and the shapes of the second field be
        left open.
        """
        found = self._compiled.get(name)
        if found is None:
            plain = cast(FunctionType, self.plain)
            code = plain.__code__.replace(co_name=f"{plain.__name__}_{next(_numbers)}")
            function = FunctionType(code, plain.__globals__, closure=plain.__closure__)
            found = torch.compile(function, fullgraph=True, backend=self._compile)
            self._compiled[name] = found
        return found

    def _draws(
        self,
        name: Hashable,
        system: System,
        tensors: Sequence[Tensor | None],
        before: RandomStates,
    ) -> bool:
        """Whether a graph draws random numbers; another thread that compiles does for a while."""
        for _ in range(3):
            if not before.have_changed():
                return False
            before = RandomStates(tensors)
            self._of(name)(system.content, *tensors)
        return before.have_changed()

    def _compile(self, graph: fx.GraphModule, inputs: list[Any]) -> Callable[..., Any]:
        going_on = _going_on.get()
        assert going_on is not None
        system = going_on.system
        _teller.get()(f"compiling {self._what}", False)
        going_on.made.append(RandomStates(x for x in inputs if isinstance(x, Tensor)))
        _check_gradients(inputs, system)
        sizes = tuple(weight.shape for weight in system.weights) if self._in_loops else None
        name = (kind_of(system.field), system.method, sizes)
        times = self._times[name] = self._times.get(name, 0) + 1
        if times > _MOST_OF_A_FIELD:
            if self._in_loops:
                raise NotOneKernelError
            raise NotCompiledError(
                "it changes from solve to solve, and would be compiled each time"
            )
        compiled = _by_backend(self._backend, graph, inputs, self._in_loops)
        done.count += 1

        def of_list(flat: list[Any]) -> Any:
            return compiled(*flat)

        def run(*flat: Any) -> Any:
            now = _going_on.get()
            if now is not None:  # a graph that was made without gradients is found with them too
                _check_gradients(flat, now.system)
            calls = watched.get()
            since = 0 if calls is None else len(calls)
            outputs = compiled(*flat)
            if calls is not None:
                shortest(calls, since, Call(of_list, flat, outputs))
            return outputs

        return run


class _GoingOn(NamedTuple):
    """A call.

    Attributes:
        system: that it is for.
        made: the generators of random numbers as they were when it had a graph made.
    """

    system: System
    made: list[RandomStates]


_going_on: ContextVar[_GoingOn | None] = ContextVar("going_on", default=None)


def _check_gradients(inputs: Sequence[Any], system: System) -> None:
    if system.parameters is None:
        return
    for tensor in inputs:
        if not isinstance(tensor, Tensor) or not tensor.requires_grad:
            continue
        if not any(tensor is parameter for parameter in system.parameters):
            raise NotCompiledError(
                "it uses tensors that need a gradient and are not among its parameters"
            )


def refuse(system: System, why: str, cause: Exception | None = None) -> NoReturn:
    """Compile fields of this class no more, and say so.

    Raises:
        NotCompiledError: always.
    """
    done.refused[kind_of(system.field)] = why
    _teller.get()(f"the field {name_of(system.field)} is not compiled: {why}", True)
    raise NotCompiledError(why) from cause


def kind_of(field: object) -> object:
    """What is known to be compiled or not: the class of a field, or the function that it is.

    A ``Called`` module says so itself.
    """
    kind = getattr(field, "kind_for_graphs", None)
    if kind is not None:
        return (type(field), kind)
    inner = getattr(field, "__wrapped__", None) or getattr(field, "_field", None)
    if inner is not None:
        return (type(field), kind_of(inner))
    inner = getattr(field, "module", None)
    if isinstance(inner, torch.nn.Module):
        return (type(field), type(inner))
    return getattr(field, "__code__", type(field))


def can_be_traced() -> bool:
    """Whether no transform of ``torch.func`` and no other compilation is going on."""
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    return not transformed and not torch.compiler.is_compiling()


def cache_folder() -> Path:
    """Where compiled graphs are kept, with what is known of them: in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "node-cli"


def _by_backend(
    name: str, graph: fx.GraphModule, inputs: list[Any], in_loops: bool = False
) -> Callable[..., Any]:
    compiled: Any
    if name == "inductor":
        from torch._inductor.compile_fx import compile_fx

        from node_cli.solving.decompositions import Decompositions
        from node_cli.solving.graph_passes import GraphPasses
        from node_cli.solving.kept_buffers import kept_buffers

        options = _OPTIONS | {"post_grad_custom_pre_pass": GraphPasses(in_loops)}
        with _kept_in_our_folder(), kept_buffers(in_loops):
            compiled = compile_fx(
                graph, inputs, config_patches=options, decompositions=Decompositions()
            )
    elif in_loops:
        raise NotOneKernelError
    else:
        compiled = torch._dynamo.lookup_backend(name)(graph, inputs)
    return compiled  # type: ignore[no-any-return]


@contextlib.contextmanager
def _kept_in_our_folder() -> Iterator[None]:
    """Torch keeps what it compiles in our folder, unless the user has named another one.

    It sets the variable itself as soon as it is imported, to a folder that does not stay.
    """
    from torch._inductor.runtime import runtime_utils

    name = "TORCHINDUCTOR_CACHE_DIR"
    before = os.environ.get(name)
    if before in (None, runtime_utils.default_cache_dir()):  # type: ignore[attr-defined]
        os.environ[name] = str(cache_folder() / "compiled")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _as_wanted() -> Iterator[None]:
    with torch.no_grad(), _tracing():
        yield


@cache
def _tracing() -> Any:
    """One object for all calls: to make one takes as long as a step of a small field."""
    return torch._dynamo.config.patch(_TRACING)


def _why_not(error: BaseException) -> str | None:
    """Why something was not compiled, in one line; None: the error has another cause."""
    from torch._dynamo import exc

    for cause in _causes(error):
        if isinstance(cause, NotCompiledError):
            return str(cause)
        if type(cause).__name__ in ("InvalidCxxCompiler", "CppCompileError", "TritonMissing"):
            return "there is no C++ compiler, or no Triton for the GPU, that works"
    known = (exc.TorchDynamoException, exc.FailOnRecompileLimitHit, AttributeError, ImportError)
    if not isinstance(error, known):
        return None
    first, *_ = str(error).strip().splitlines() or [type(error).__name__]
    return f"torch cannot trace it ({first})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
