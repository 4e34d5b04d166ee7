"""States as the solvers see them: one tensor, whatever the field's state is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

State = Tensor | tuple[Tensor, ...]
Norm = Callable[[Tensor], Tensor]


class Layout:
    """How a state lies in one tensor: a tensor as it is, a tuple of tensors one after another.

    Args:
        state: a state of the shapes to be remembered.
        outside_norm: so many last parts of a tuple do not count in the norm.

    Attributes:
        is_single: the state is one tensor, and no tuple.
        shapes: of its parts.
        counting: so many of them, the first ones, count in the norm; of a single one 0.
    """

    def __init__(self, state: State, outside_norm: int = 0) -> None:
        self.is_single = isinstance(state, Tensor)
        self.shapes = [part.shape for part in ([state] if isinstance(state, Tensor) else state)]
        self._sizes = [] if self.is_single else [shape.numel() for shape in self.shapes]
        self.counting = len(self._sizes) - outside_norm

    def pack(self, state: State) -> Tensor:
        """The state as one tensor: of its own shape, or of shape ``[n]`` for a tuple."""
        if isinstance(state, Tensor):
            return state
        return torch.cat([part.reshape(-1) for part in state])

    def unpack(self, packed: Tensor, *, leading: Sequence[int] = ()) -> State:
        """The state of a packed one, with ``leading`` dimensions such as that of time."""
        if self.is_single:
            return packed
        parts = zip(self.split(packed), self.shapes, strict=True)
        return tuple(part.reshape((*leading, *shape)) for part, shape in parts)

    def split(self, packed: Tensor) -> Sequence[Tensor]:
        """The parts of a packed tuple, as they lie in its last dimension."""
        return tuple(packed.split(self._sizes, dim=-1))

    def norm(self, packed: Tensor) -> Tensor:
        """The root mean square; of a tuple the largest among those of its parts that count."""
        if not self._sizes:
            return largest_rms([packed])
        return largest_rms(self.split(packed)[: self.counting])


def contiguous(state: State) -> State:
    """The same, whose parts can be viewed in any shape."""
    if isinstance(state, Tensor):
        return state.contiguous()
    return tuple(part.contiguous() for part in state)


def largest_rms(parts: Sequence[Tensor]) -> Tensor:
    """The largest root mean square among tensors; parts without elements do not count."""
    means = [
        torch.linalg.vector_norm(part) / math.sqrt(part.numel()) for part in parts if part.numel()
    ]
    if not means:
        return parts[0].new_zeros(())
    return torch.stack(means).max() if len(means) > 1 else means[0]


def combine(base: Tensor, factors: Sequence[float], terms: Sequence[Tensor]) -> Tensor:
    """``base + sum_j factors[j] * terms[j]``; terms with a factor of 0 are left out."""
    used = [(factor, term) for factor, term in zip(factors, terms, strict=True) if factor]
    if not used:
        return base
    chosen = [term for _, term in used]
    kept = torch.is_grad_enabled() and any(t.requires_grad for t in (base, *chosen))
    if kept and not torch.compiler.is_compiling():  # which merges the nodes itself
        try:
            combined: Tensor = _Combination.apply([f for f, _ in used], base, *chosen)
            return combined
        except RuntimeError as error:
            if "setup_context" not in str(error):
                raise
            # Transforms of torch.func go through plain operations: a Function that they can go
            # through binds its arguments in each call, which takes as long as the sum itself.
    return _sum(base, [f for f, _ in used], chosen)


def _sum(base: Tensor, factors: Sequence[float], terms: Sequence[Tensor]) -> Tensor:
    total = torch.add(base, terms[0], alpha=factors[0])
    for factor, term in zip(factors[1:], terms[1:], strict=True):
        total.add_(term, alpha=factor)
    return total


class _Combination(torch.autograd.Function):
    """One node of the graph, that keeps nothing, instead of one for each term."""

    @staticmethod
    def forward(ctx: Any, factors: list[float], base: Tensor, *terms: Tensor) -> Tensor:
        ctx.factors = factors
        return _sum(base, factors, terms)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        return None, gradient, *(gradient * factor for factor in ctx.factors)
