"""A residual network written as Euler steps of a vector field."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from node_cli.solving.stats import SolveStats, announce


class EulerBlock(nn.Module):
    r"""``blocks`` Euler steps of size ``h = end_time / blocks``.

    .. math:: y_{l+1} = y_l + h\, f_l(l h, y_l)

    Each step is a residual block (Chen et al. 2018, eq. 1). With ``tied`` all steps share one
    field and ``blocks -> infinity`` is the ODE-Net of that field, with an error of O(h). Without
    it each step has a field of its own, as a residual network has.
    """

    def __init__(
        self, make_field: Callable[[], nn.Module], blocks: int, end_time: float, tied: bool
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.end_time = end_time
        self.fields = nn.ModuleList(make_field() for _ in range(1 if tied else blocks))

    def forward(self, y: Tensor) -> Tensor:
        """The state after all steps; of the shape of ``y``."""
        announce(SolveStats(nfe_forward=self.blocks, steps_accepted=self.blocks))
        step = self.end_time / self.blocks
        for block in range(self.blocks):
            field = self.fields[block % len(self.fields)]
            t = torch.tensor(block * step, dtype=y.dtype, device=y.device)
            y = y + step * field(t, y)
        return y
