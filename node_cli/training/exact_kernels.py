"""How cuDNN computes on a GPU during a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.backends import cudnn


@contextmanager
def exact_kernels() -> Iterator[None]:
    """Inside the ``with`` block, cuDNN gives the same numbers each time, and single precision.

    By default it may add up in any order, and torch has it round what a convolution takes to TF32,
    of ten bits: an error of 1e-3, below which an adaptive solver could not meet a tolerance.
    """
    deterministic = cudnn.deterministic
    try:
        tf32 = cudnn.allow_tf32
    except RuntimeError:  # said for convolutions and recurrent layers apart; it is the user's will
        tf32 = False
    try:
        cudnn.deterministic = True
        if tf32:
            cudnn.allow_tf32 = False
        yield
    finally:
        cudnn.deterministic = deterministic
        if tf32:
            cudnn.allow_tf32 = True
