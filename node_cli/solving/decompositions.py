"""What torch's compiler writes operations as, with small products as sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._inductor.custom_graph_pass import get_hash_for_files
from torch._inductor.decomposition import select_decomp_table

import node_cli.solving.small_products as small_products
from node_cli.solving.small_products import product


def _or_as_it_is(found: Tensor | None) -> Any:
    return NotImplemented if found is None else found


def _mm(a: Tensor, b: Tensor) -> Any:
    return _or_as_it_is(product(a, b))


def _mv(a: Tensor, b: Tensor) -> Any:
    found = product(a, b.unsqueeze(1))
    return _or_as_it_is(None if found is None else found.squeeze(1))


def _addmm(bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    found = product(a, b) if beta == alpha == 1 else None
    return _or_as_it_is(None if found is None else found + bias)


class Decompositions(dict[Any, Callable[..., Any]]):
    """The compiler's own and ours.

    The key of a graph in torch's cache is made from these too, and some of its own have no name
    that lasts. Ours stand for all of them in the key, in which the version of torch is anyway.
    """

    def __init__(self) -> None:
        super().__init__(select_decomp_table())
        self[torch.ops.aten.mm.default] = _mm
        self[torch.ops.aten.mv.default] = _mv
        self[torch.ops.aten.addmm.default] = _addmm

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """What the key is made from."""
        return bytes, (get_hash_for_files((__file__, small_products.__file__)),)
