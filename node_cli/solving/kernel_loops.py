"""Code that calls the one kernel of a graph many times, each time with what it gave before.

A step of a small field is one kernel of a few microseconds. To call it from Python takes longer
than to run it, so a loop around it is compiled with it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch._inductor.codegen import wrapper as code
from torch._inductor.codegen.wrapper import PythonWrapperCodegen
from torch._inductor.virtualized import V
from torch.utils._indented_buffer import IndentedBuffer

from node_cli.solving.graph_loops import EACH, HEAD, NotOneKernelError

_BODY = re.compile(r"async_compile\.cpp_pybinding\((\[.*?\]), r'''(.*)'''\)\s*", re.DOTALL)
_START = re.compile(r'extern "C"\s+void\s+kernel\(([^)]*)\)')
_LOOP = """
extern "C" void kernel({parameters}, int64_t* plan)
{{
    char* const bases[] = {{{bases}}};
    const int64_t count = plan[0], ending = plan[1];
    int64_t k = 0;
    while (k < count) {{
        char* at[{n}];
        for (int j = 0; j < {n}; j++) {{
            const int64_t* of = plan + {head} + {each} * j;
            at[j] = bases[j] + ((k + of[0]) & of[1]) * of[2];
        }}
        once({arguments});
        k++;
        if (ending >= 0 && *reinterpret_cast<const double*>(at[ending]) != 0.0) break;
    }}
    plan[0] = k;
}}
"""


def put_loop(wrapper: PythonWrapperCodegen, kept: str) -> str:
    """Put a loop around the kernel of a graph.

    Args:
        wrapper: of the graph, with its lines.
        kept: a line that names the buffers which are kept from call to call.

    Returns:
        The function ``_repeat(inputs, outputs, plan)``, whose ``roles`` say of each argument of the
        kernel whether it is the i-th input (i), the i-th output (-1 - i), or neither (None).

    Raises:
        NotOneKernelError: the graph is not one kernel for the CPU.
    """
    lines: list[Any] = wrapper.lines
    defined = [i for i, line in enumerate(lines) if isinstance(line, code.KernelDefinitionLine)]
    called = [i for i, line in enumerate(lines) if isinstance(line, code.KernelCallLine)]
    if len(defined) != 1 or len(called) != 1:
        raise NotOneKernelError
    definition, call = lines[defined[0]], lines[called[0]]
    inputs = wrapper.get_graph_input_names()
    outputs = V.graph.get_output_names()
    roots = _roots(lines)
    of_outputs = [roots.get(name) for name in outputs]
    if None in of_outputs or len({*of_outputs}) < len(of_outputs):
        raise NotOneKernelError
    body = looped(definition.kernel_body)
    lines[defined[0]] = replace(definition, kernel_body=body)
    roles = [_role(name, inputs, of_outputs, roots) for name in call.call_args]
    header = f"_once = torch.tensor([1, -1{', 0, 0, 0' * len(roles)}], dtype=torch.int64)"
    wrapper.header.writeline(header)
    lines[called[0]] = replace(call, call_args=(*call.call_args, "_once"))
    text = IndentedBuffer()
    text.writeline("def _repeat(inputs, outputs, plan):")
    with text.indent(), wrapper.set_writeline(text, text.writeline):
        text.writeline(f"{', '.join(inputs)}, = inputs")
        text.writeline(f"{', '.join(map(str, of_outputs))}, = outputs")
        text.writeline(kept)
        for line in lines:
            made = line.node.get_name() if isinstance(line, code.AllocateLine) else None
            if line is lines[called[0]]:
                replace(call, call_args=(*call.call_args, "plan")).codegen(text)
            elif isinstance(line, code.MemoryPlanningLine) and made not in of_outputs:
                line.codegen(text)
    text.writeline(f"_repeat.roles = {tuple(roles)!r}")
    return text.getvalue()


def looped(body: str) -> str:
    """The definition of a kernel with a loop around it.

    Raises:
        NotOneKernelError: it is not written as torch's compiler writes them.
    """
    found = _BODY.fullmatch(body)
    starts = [] if found is None else _START.findall(found[2])
    if found is None or len(starts) != 1:
        raise NotOneKernelError
    types = ast.literal_eval(found[1])
    names = [parameter.split()[-1].strip("*") for parameter in starts[0].split(",")]
    if not all(kind.endswith("*") for kind in types) or len(names) != len(types):
        raise NotOneKernelError
    source = _START.sub(r"static void once(\1)", found[2])
    source += _LOOP.format(
        parameters=starts[0],
        bases=", ".join(f"(char*){name}" for name in names),
        n=len(names),
        head=HEAD,
        each=EACH,
        arguments=", ".join(f"({kind})at[{j}]" for j, kind in enumerate(types)),
    )
    return f"async_compile.cpp_pybinding({[*types, 'int64_t*']!r}, r'''{source}''')\n"


def _roots(lines: Sequence[Any]) -> dict[str, str]:
    """The memory in which each result lies, by the name under which it is made."""
    roots: dict[str, str] = {}
    for line in lines:
        if isinstance(line, code.AllocateLine):
            name = line.node.get_name()
            roots[name] = name
        elif isinstance(line, code.ReinterpretLine | code.ReuseLine):
            of = line.node.get_name()
            roots[line.reused_as.get_name()] = roots.get(of, of)
    return roots


def _role(
    name: str, inputs: Sequence[str], outputs: Sequence[str | None], roots: dict[str, str]
) -> int | None:
    if name in inputs:
        return inputs.index(name)
    root = roots.get(name)
    return -1 - outputs.index(root) if root in outputs else None
