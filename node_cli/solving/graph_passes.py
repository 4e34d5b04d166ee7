"""What is done with a graph before torch's compiler makes code from it."""

from __future__ import annotations

from typing import Any

from torch import fx
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

from node_cli.solving import (
    batch_last,
    graph_nodes,
    kept_buffers,
    separate_columns,
    small_products,
)


class GraphPasses(CustomGraphPass):
    """Columns are separated, then loops turned."""

    def __call__(self, graph: fx.Graph) -> None:
        """Change a graph."""
        separate_columns.separate_columns(graph)
        batch_last.put_batch_last(graph)

    def uuid(self) -> Any:
        """Part of the key of torch's cache: whatever the code of a graph is made by."""
        modules = (batch_last, graph_nodes, kept_buffers, separate_columns, small_products)
        return get_hash_for_files((__file__, *(module.__file__ for module in modules)))
