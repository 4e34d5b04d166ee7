"""Whether random numbers were drawn, on the CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class RandomStates:
    """The states of the generators that a function of tensors may draw from, as they are now.

    Args:
        tensors: on whose devices it computes.
    """

    def __init__(self, tensors: Iterable[Tensor | None]) -> None:
        devices = {x.device for x in tensors if x is not None and x.is_cuda}
        self._of_cpu = torch.get_rng_state()
        self._of_gpus = {device: torch.cuda.get_rng_state(device) for device in devices}

    def have_changed(self) -> bool:
        """Whether something was drawn since."""
        return not torch.equal(torch.get_rng_state(), self._of_cpu) or any(
            not torch.equal(torch.cuda.get_rng_state(device), state)
            for device, state in self._of_gpus.items()
        )

    def restore(self) -> None:
        """As if nothing had been drawn."""
        torch.set_rng_state(self._of_cpu)
        for device, state in self._of_gpus.items():
            torch.cuda.set_rng_state(state, device)
