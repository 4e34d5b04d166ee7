"""Models of series, which keep in their checkpoints how the data were changed for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from node_cli.data.series_units import SeriesUnits
from node_cli.solving.told_time import Clock, told_by

_KEY = "_extra_state"  # torch's name of what a module keeps beside tensors


class ModelWithUnits(nn.Module):
    """A module that knows the units of its data, so that it can be used without them.

    Attributes:
        units: of the data; None: nobody has told them.
        masked: values can be missing, and which are is an input.
        classes: the name of each class that the model tells; empty: it tells none.
    """

    units: SeriesUnits | None = None
    masked: bool = False
    classes: Sequence[str] = ()

    def get_extra_state(self) -> dict[str, Any]:
        """The units, and the classes where there are some, for the checkpoint."""
        units = {} if self.units is None else self.units.state()
        classes = {"classes": list(self.classes)} if self.classes else {}
        return {"masked": self.masked, "units": units, **classes}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Take the units and the classes from a checkpoint."""
        self.units = SeriesUnits.from_state(state["units"]) if state["units"] else None
        self.classes = tuple(map(str, state.get("classes", ())))


def times_told_of(model: nn.Module) -> AbstractContextManager[None]:
    """Inside the ``with`` block, messages of solvers tell the times of the model's data."""
    units = model.units if isinstance(model, ModelWithUnits) else None
    return told_by(Clock() if units is None else Clock(units.start, units.time_scale))


def kept_in(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a ``ModelWithUnits`` keeps beside its weights, from its ``state_dict``.

    Nothing where it was saved by a version that did not keep it.
    """
    kept: Mapping[str, Any] = state.get(_KEY, {})
    return kept


def units_in(state: Mapping[str, Any]) -> tuple[SeriesUnits, bool] | None:
    """The units and ``masked``, likewise; None where they are not there."""
    kept = kept_in(state)
    return (SeriesUnits.from_state(kept["units"]), bool(kept["masked"])) if kept else None


def classes_in(state: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the classes, likewise."""
    return tuple(map(str, kept_in(state).get("classes", ())))
