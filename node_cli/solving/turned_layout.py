"""States of many points in few dimensions, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from node_cli.solving.small_products import FEW, MANY
from node_cli.solving.state import Layout, State


class TurnedLayout(Layout):
    """How a state lies in one tensor where loops run along the batch.

    Parts ``[..., M]`` of few columns lie column by column: a tensor as ``[M, N]``. The field gets
    them in the shapes that they have. On a GPU nothing is turned.

    Args:
        state: a state of the shapes to be remembered.
        outside_norm: as of ``Layout``.
    """

    def __init__(self, state: State, outside_norm: int = 0) -> None:
        super().__init__(state, outside_norm)
        device = (state if isinstance(state, Tensor) else state[0]).device
        self._turns = [device.type == "cpu" and _pays(shape) for shape in self.shapes]

    def pack(self, state: State) -> Tensor:
        """The state as one tensor."""
        if isinstance(state, Tensor):
            return _columns(state).contiguous() if self._turns[0] else state
        parts = zip(state, self._turns, strict=True)
        return torch.cat([(_columns(part) if turns else part).reshape(-1) for part, turns in parts])

    def unpack(self, packed: Tensor, *, leading: Sequence[int] = ()) -> State:
        """The state of a packed one, with ``leading`` dimensions such as that of time."""
        if self.is_single:
            (shape,) = self.shapes
            return packed.mT.reshape((*leading, *shape)) if self._turns[0] else packed
        parts = zip(self.split(packed), self.shapes, self._turns, strict=True)
        return tuple(
            (part.reshape((*leading, shape[-1], -1)).mT if turns else part).reshape(
                (*leading, *shape)
            )
            for part, shape, turns in parts
        )


def _columns(part: Tensor) -> Tensor:
    return part.reshape(-1, part.shape[-1]).t()


def _pays(shape: torch.Size) -> bool:
    return len(shape) > 1 and 1 < shape[-1] <= FEW and shape[:-1].numel() >= MANY
