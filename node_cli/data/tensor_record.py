"""Examples that are several tensors."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self

import torch
from torch import Tensor


class TensorRecord:
    """The base of a dataclass of tensors whose first dimension goes over the same examples.

    What is not there of all examples may be None in the place of a tensor.
    """

    def __len__(self) -> int:
        """How many there are."""
        first = fields(self)[0].name  # type: ignore[arg-type]
        return len(getattr(self, first))

    def __getitem__(self, places: Tensor | slice) -> Self:
        """Some of them."""
        return self._each(lambda tensor: tensor[places])

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Any) -> Self:
        own = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        changed = {name: None if value is None else change(value) for name, value in own.items()}
        return type(self)(**changed)
