"""What is done with a graph before torch's compiler makes code from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import fx
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

from node_cli.solving.batch_last import put_batch_last
from node_cli.solving.separate_columns import separate_columns

# The modules that the code of a graph depends on, beside torch's own.
_MODULES = (
    "batch_last",
    "graph_loops",
    "graph_nodes",
    "graph_passes",
    "kernel_loops",
    "kept_buffers",
    "separate_columns",
    "small_products",
)


class GraphPasses(CustomGraphPass):
    """Columns are separated, then loops turned.

    Args:
        in_loops: the code gets a loop around it.
    """

    def __init__(self, in_loops: bool) -> None:
        self._in_loops = in_loops

    def __call__(self, graph: fx.Graph) -> None:
        """Change a graph."""
        separate_columns(graph)
        put_batch_last(graph)

    def uuid(self) -> Any:
        """Part of the key of torch's cache: whatever the code of a graph is made by."""
        paths = tuple(str(Path(__file__).with_name(f"{name}.py")) for name in _MODULES)
        return get_hash_for_files(paths, "in loops" if self._in_loops else "")
