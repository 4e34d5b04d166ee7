"""What torch's compiler writes operations as, with small products as sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._inductor.custom_graph_pass import get_hash_for_files
from torch._inductor.decomposition import select_decomp_table

import node_cli.solving.small_products as small_products
from node_cli.solving.small_products import product, stored


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


# Of tanh as a rational function, odd over even (Eigen, and XLA after it); its error is 3e-7 of the
# value at most, in float32. Beyond the last number it is that of the last, 1e-7 below one.
_NUMERATOR = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
_DENOMINATOR = (
    1.19825839466702e-06,
    1.18534705686654e-04,
    2.26843463243900e-03,
    4.89352518554385e-03,
)
_LAST = 7.90531110763549805


def _tanh(x: Tensor) -> Any:
    """Half the time of the exponential function that the compiler would take.

    It is stored, or it would be computed again wherever it is used.
    """
    if x.device.type != "cpu" or x.dtype != torch.float32:
        return NotImplemented
    inside = x.clamp(-_LAST, _LAST)
    square = inside * inside
    found = inside * _polynomial(_NUMERATOR, square) / _polynomial(_DENOMINATOR, square)
    return stored(found)


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    first, second, *others = coefficients
    total = first * x + second
    for coefficient in others:
        total = total * x + coefficient
    return total


class Decompositions(dict[Any, Callable[..., Any]]):
    """The compiler's own and ours.

    The key of a graph in torch's cache is made from these too, and some of its own have no name
    that lasts. Ours stand for all of them in the key, in which the version of torch is anyway.
    """

    def __init__(self) -> None:
        super().__init__(select_decomp_table())
        self[torch.ops.aten.tanh.default] = _tanh
        self[torch.ops.aten.mm.default] = _mm
        self[torch.ops.aten.mv.default] = _mv
        self[torch.ops.aten.addmm.default] = _addmm

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """What the key is made from."""
        return bytes, (get_hash_for_files((__file__, small_products.__file__)),)
