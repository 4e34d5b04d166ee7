"""Augmented states (Dupont et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor


def augmented(y: Tensor, extra: int, dim: int = -1) -> Tensor:
    """A state with ``extra`` zeros after its own values along ``dim``.

    In the larger space trajectories can pass each other that would cross in the smaller one.
    """
    shape = list(y.shape)
    shape[dim] = extra
    return torch.cat((y, y.new_zeros(shape)), dim=dim)
