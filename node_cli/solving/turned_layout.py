"""States of many points in few dimensions, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from node_cli.solving.small_products import FEW, MANY
from node_cli.solving.state import Layout, State


class TurnedLayout(Layout):
    """How a state lies in one tensor where loops run along the batch.

    Parts ``[N, M]`` of few columns lie column by column: a tensor as ``[M, N]``. The field gets
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
            return state.t().contiguous() if self._turns[0] else state
        parts = zip(state, self._turns, strict=True)
        return torch.cat([(part.t() if turns else part).reshape(-1) for part, turns in parts])

    def unpack(self, packed: Tensor, *, leading: Sequence[int] = ()) -> State:
        """The state of a packed one, with ``leading`` dimensions such as that of time."""
        if self.is_single:
            return packed.mT if self._turns[0] else packed
        parts = zip(self.split(packed), self.shapes, self._turns, strict=True)
        return tuple(
            part.reshape((*leading, *reversed(shape))).mT
            if turns
            else part.reshape((*leading, *shape))
            for part, shape, turns in parts
        )


def _pays(shape: torch.Size) -> bool:
    return len(shape) == 2 and 1 < shape[1] <= FEW and shape[0] >= MANY
