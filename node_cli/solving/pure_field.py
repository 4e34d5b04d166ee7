"""A vector field as a function of tensors alone, for graphs of a whole step."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from node_cli.solving.field_result import refuse_misfit
from node_cli.solving.state import Layout, State

Features = tuple[Tensor, ...]


@runtime_checkable
class TimeSplitField(Protocol):
    """A field of which a part depends on the time alone, and not on the state.

    Where a whole step is one graph, that part is computed for all of its stages in one call.
    """

    def of_times(self, t: Tensor) -> Features:
        """That part at times ``[S]``: tensors ``[S, ...]``."""
        ...

    def given(self, of_time: Features, y: Any) -> Any:
        """``f(t, y)``, where ``of_time`` is what ``of_times`` gives for ``t``, without ``S``."""
        ...


class PureField(Protocol):
    """A field that neither counts nor checks, in packed states."""

    def at(self, t: Tensor, y: Tensor) -> Tensor:
        """The field at the time ``[1]``; of the shape and dtype of ``y``."""
        ...


@dataclass(frozen=True)
class PlainField:
    """The vector field of a solve.

    Attributes:
        field: ``f(t, y)``.
        layout: of its states.
        autocast: the device and the precision of the region in which it is evaluated; None: none.
    """

    field: Any
    layout: Layout
    autocast: tuple[str, torch.dtype] | None = None

    def of_times(self, t: Tensor) -> Features:
        """By the field where it says what that is, else the times themselves."""
        return self.field.of_times(t) if is_split(self.field) else (t,)

    def at(self, t: Tensor, y: Tensor) -> Tensor:
        """The packed derivative at the time ``[1]``."""
        return self.given(row_of(self.of_times(t), 0), y)

    def given(self, of_time: Features, y: Tensor) -> Tensor:
        """The packed derivative, where what depends on the time alone is known."""
        state = self.layout.unpack(y)
        with nullcontext() if self.autocast is None else torch.autocast(*self.autocast):
            if is_split(self.field):
                derivative = self.field.given(of_time, state)
            else:
                derivative = self.field(of_time[0], state)
        if isinstance(state, Tensor):
            return self.layout.pack(self._of_the_state(derivative, state))
        pairs = zip(cast(State, derivative), state, strict=True)
        return self.layout.pack(tuple(self._of_the_state(*pair) for pair in pairs))

    def _of_the_state(self, derivative: object, y: Tensor) -> Tensor:
        return refuse_misfit(self.field, derivative, y, self.autocast is not None).to(y.dtype)


def row_of(of_times: Features, number: int) -> Features:
    """What depends on the time alone, at one of the times."""
    return tuple(part[number] for part in of_times)


def is_split(field: object) -> bool:
    """Whether a field says what depends on the time alone."""
    return getattr(field, "splits_time", False) is True
