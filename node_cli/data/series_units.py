"""From the units of a user's series to those of a model, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class SeriesUnits:
    """How a run has changed the values and times of its data.

    Attributes:
        columns: names of the D values.
        centre: what was subtracted from values, float64 ``[D]``.
        scale: by which they were divided then, float64 ``[D]``.
        start: the time that became 0; None: the first of each series.
        time_scale: by which times were divided then.
    """

    columns: Sequence[str]
    centre: Tensor
    scale: Tensor
    start: float | None = 0.0
    time_scale: float = 1.0

    @classmethod
    def unchanged(cls, columns: Sequence[str]) -> SeriesUnits:
        """Of data that are as they were made."""
        count = len(columns)
        return cls(
            columns,
            torch.zeros(count, dtype=torch.float64),
            torch.ones(count, dtype=torch.float64),
        )

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SeriesUnits:
        """From what ``state`` gave.

        Raises:
            TypeError: it is something else.
            LookupError: likewise.
        """
        columns, centre, scale = (list(state[name]) for name in ("columns", "centre", "scale"))
        if not len(columns) == len(centre) == len(scale) or not all(
            isinstance(name, str) for name in columns
        ):
            raise TypeError("these are no units of series")
        middle, spread = (torch.tensor(own, dtype=torch.float64) for own in (centre, scale))
        start = state["start"]
        return cls(
            columns,
            middle,
            spread,
            None if start is None else float(start),
            float(state.get("time_scale", 1.0)),  # checkpoints from before it have none
        )

    def state(self) -> dict[str, Any]:
        """As plain values, for a checkpoint."""
        return {
            "columns": list(self.columns),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "start": self.start,
            "time_scale": self.time_scale,
        }

    def model_values(self, values: Tensor) -> Tensor:
        """Values of the user, float64 ``[..., D]``, in the units of the model, float32."""
        return ((values - self.centre) / self.scale).float()

    def model_times(self, times: Tensor, first: Tensor) -> Tensor:
        """Times of the user, float64, in the units of the model, float32.

        Args:
            times: ``[..., P]``.
            first: the first time that is known of each series, float64 ``[..., 1]``.
        """
        origin = first if self.start is None else self.start
        return ((times - origin) / self.time_scale).float()

    def own_values(self, values: Tensor) -> Tensor:
        """Values of the model ``[..., D]``, in the units of the user, float64."""
        return values.double() * self.scale + self.centre
