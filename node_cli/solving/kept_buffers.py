"""Compiled graphs that keep the memory of their intermediate results from call to call.

A graph of a step has a hundred small ones. To make each anew, as torch's compiler has it, takes as
long as to compute them where the field is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch._inductor import config
from torch._inductor.codegen import common
from torch._inductor.codegen import wrapper as code
from torch._inductor.codegen.wrapper import PythonWrapperCodegen
from torch._inductor.virtualized import V
from torch.utils._indented_buffer import IndentedBuffer, LineContext

from node_cli.solving.graph_loops import NotOneKernelError
from node_cli.solving.kernel_loops import put_loop

# Bytes that one result may have, and all that a graph keeps; what is larger is made anew.
LARGEST, MOST = 2**20, 2**24

# Lines of a graph that leave no other name for a result than those looked at here.
_KNOWN = (
    code.MemoryPlanningLine,
    code.FreeLine,
    code.KernelCallLine,
    code.KernelDefinitionLine,
    code.ExternKernelOutLine,
    code.AssertSizeStrideLine,
    code.GroupedAssertSizeStrideLine,
    code.CommentLine,
    LineContext,
)


class KeptBuffers(PythonWrapperCodegen):
    """Writes the Python code that calls the kernels of a graph."""

    _in_loops = False
    _loop = ""

    @classmethod
    def create(
        cls,
        is_subgraph: bool,
        subgraph_name: str | None,
        parent_wrapper: PythonWrapperCodegen | None,
        partition_signatures: Any = None,
    ) -> PythonWrapperCodegen:
        """One for a graph; parts of graphs are written as ever."""
        if not is_subgraph:
            return cls()
        part: PythonWrapperCodegen = PythonWrapperCodegen.create(
            is_subgraph, subgraph_name, parent_wrapper, partition_signatures
        )
        return part

    def run_wrapper_ir_passes(self, is_inference: bool) -> None:
        """Plan the memory, and move out of the call what is to be kept."""
        super().run_wrapper_ir_passes(is_inference)
        known = all(isinstance(line, _KNOWN) for line in self.lines)
        kept = self._keep(_kept(self.lines)) if known else ""
        if self._in_loops:
            if not known:
                raise NotOneKernelError
            self._loop = put_loop(self, kept)

    def write_args(self, input_names: list[str]) -> None:
        """Read the inputs, and remember them for who repeats the call."""
        super().write_args(input_names)
        self.prefix.writeline(f"_given = ({', '.join(input_names)},)")

    def generate_return(self, output_refs: list[str]) -> None:
        """Give back the outputs, and tell of the call."""
        if not self.get_graph_input_names() or not output_refs:
            super().generate_return(output_refs)
            return
        self.imports.writeline("from node_cli.solving.watched_calls import noted as _noted")
        graph = "runner.call" if config.graph_partition else self.launcher_fn_name
        outputs = f"({', '.join(output_refs)},)"
        repeat = ", _repeat" if self._loop else ""
        self.wrapper_call.writeline(f"return _noted({graph}, _given, {outputs}{repeat})")

    def generate_before_suffix(self, result: IndentedBuffer) -> None:
        """Write the loop."""
        super().generate_before_suffix(result)
        result.splice(self._loop)

    def _keep(self, names: set[str]) -> str:
        """Make these results once, and return the line that names them in a call."""
        if not names:
            return ""
        made: list[Any] = [line for line in self.lines if _makes(line) in names]
        self.lines = [
            line for line in self.lines if _makes(line) not in names and _frees(line) not in names
        ]
        making = IndentedBuffer()
        with self.set_writeline(making, making.writeline):
            for line in made:
                line.codegen(making)
        every = ", ".join(_makes(line) for line in made)
        self.imports.writeline("from threading import local as _local")
        self.header.writeline("_kept = _local()  # each thread has its own")
        self.header.writeline("def _make():")
        with self.header.indent():
            self.header.splice(making)
            self.header.writeline(f"_kept.all = ({every},)")
            self.header.writeline("return _kept.all")
        line = f"{every}, = getattr(_kept, 'all', None) or _make()"
        self.wrapper_call.writeline(line)
        return line


def _kept(lines: list[Any]) -> set[str]:
    """The names of results, and of views of them, that do not leave the graph."""
    base: dict[str, str] = {}
    size: dict[str, int] = {}
    views: list[tuple[str, str]] = []
    for line in lines:
        if isinstance(line, code.AllocateLine):
            name = line.node.get_name()
            base[name], size[name] = name, _bytes(line.node)
        elif isinstance(line, code.ReinterpretLine | code.ReuseLine):
            view, of = line.reused_as.get_name(), line.node.get_name()
            base[view] = base.get(of, of)
            if isinstance(line, code.ReinterpretLine):
                views.append((view, of))
    leaving = {base.get(name, name) for name in V.graph.get_output_names()}
    kept, total = set(), 0
    for name, count in size.items():
        if name not in leaving and count <= LARGEST and total + count <= MOST:
            kept.add(name)
            total += count
    # A view is made where its result is; what took over the memory of another one has it later.
    for view, of in views:
        if of in kept:
            kept.add(view)
    return kept


def _makes(line: Any) -> str:
    if isinstance(line, code.AllocateLine):
        return str(line.node.get_name())
    return str(line.reused_as.get_name()) if isinstance(line, code.ReinterpretLine) else ""


def _frees(line: Any) -> str:
    frees = isinstance(line, code.FreeIfNotReusedLine | code.FreeLine)
    return str(line.node.get_name()) if frees else ""


def _bytes(buffer: Any) -> int:
    """Of a result on the CPU whose shape is known; else more than is kept."""
    numbers = V.graph.get_allocation_storage_size(buffer)
    if buffer.get_device().type != "cpu" or not getattr(numbers, "is_number", True):
        return LARGEST + 1
    return int(numbers) * int(buffer.get_dtype().itemsize)


class InLoops(KeptBuffers):
    """Also writes a loop around the one kernel of a graph; where there are more, it is refused."""

    _in_loops = True


@contextmanager
def kept_buffers(in_loops: bool = False) -> Iterator[None]:
    """Inside the ``with`` block, graphs for the CPU are written so, with a loop if wanted."""
    common.init_backend_registration()
    before = common.device_codegens["cpu"]
    written = InLoops if in_loops else KeptBuffers
    common.device_codegens["cpu"] = replace(before, wrapper_codegen=written)
    try:
        yield
    finally:
        common.device_codegens["cpu"] = before
