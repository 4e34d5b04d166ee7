"""States inside of a graph of a whole step, where loops run along the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from node_cli.solving.small_products import FEW, MANY
from node_cli.solving.state import Layout, State


class TurnedLayout:
    """How states lie in one tensor inside of a graph: parts of few columns column by column.

    A field gets them in the shapes that they have. On a GPU nothing is turned.

    Args:
        layout: as they lie outside.
        device: where they are.
    """

    def __init__(self, layout: Layout, device: torch.device) -> None:
        self._layout = layout
        self._turns = [device.type == "cpu" and _pays(shape) for shape in layout.shapes]

    def pack(self, state: State) -> Tensor:
        """The state as one tensor."""
        if isinstance(state, Tensor):
            return state.t().contiguous() if self._turns[0] else state
        parts = zip(state, self._turns, strict=True)
        return torch.cat([(part.t() if turns else part).reshape(-1) for part, turns in parts])

    def unpack(self, packed: Tensor) -> State:
        """The state of a packed one."""
        if self._layout.is_single:
            return packed.t() if self._turns[0] else packed
        shapes = self._layout.shapes
        parts = zip(packed.split([s.numel() for s in shapes]), shapes, self._turns, strict=True)
        return tuple(
            part.view(shape[1], shape[0]).t() if turns else part.view(shape)
            for part, shape, turns in parts
        )


def _pays(shape: torch.Size) -> bool:
    return len(shape) == 2 and 1 < shape[1] <= FEW and shape[0] >= MANY
