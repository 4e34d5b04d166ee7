"""Numbers between the host and a device, for which the host waits as little as it can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# For lists of numbers that numpy reads in a quarter of torch's time.
_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


def tensor_of(numbers: Sequence[float] | Sequence[Sequence[float]], like: Tensor) -> Tensor:
    """The numbers in the dtype and on the device of another tensor.

    A copy from ordinary memory waits until the GPU has done all that it was given; one from
    pinned memory is done in its turn.
    """
    if like.device.type == "cpu" and like.dtype in _NUMPY:
        return torch.from_numpy(np.array(numbers, dtype=_NUMPY[like.dtype]))
    if like.device.type != "cuda":
        return torch.tensor(numbers, dtype=like.dtype, device=like.device)
    pinned = torch.tensor(numbers, dtype=like.dtype, device="cpu", pin_memory=True)
    return pinned.to(like.device, non_blocking=True)


def read(numbers: Sequence[Tensor]) -> list[float]:
    """Single numbers of one dtype, for which the host waits once."""
    if len(numbers) == 1:
        return [float(numbers[0])]
    together = torch.stack(list(numbers))
    if torch._C._functorch.is_functorch_wrapped_tensor(together):  # which is no list
        return [float(number) for number in together]
    found: list[float] = together.tolist()
    return found


def slice_of(places: Sequence[int]) -> slice:
    """One place or more that follow each other: for an index that is a list, the host waits."""
    return slice(places[0], places[-1] + 1)
