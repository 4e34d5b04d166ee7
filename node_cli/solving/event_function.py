"""Event functions, as the search for their roots calls them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from node_cli.errors import SolverError
from node_cli.solving.field_result import described
from node_cli.solving.finiteness import refuse_not_finite
from node_cli.solving.state import Layout
from node_cli.source_place import at_place, place_of

# g(t, y), with t a scalar tensor; gives one number, or a vector with one for each event.
EventCallable = Callable[[Tensor, Any], Tensor]


class EventError(SolverError):
    """An event function gave something whose roots cannot be looked for."""


class EventFunction:
    """The event function ``g(t, y)`` of one solve, on packed states.

    Args:
        given: the user's own function.
        layout: of the state.
        method: the solver's name, for messages.
    """

    def __init__(self, given: EventCallable, layout: Layout, method: str) -> None:
        self._given, self._layout, self._method = given, layout, method
        self._count: int | None = None

    def __call__(self, t: Tensor, y: Tensor) -> Tensor:
        """The values ``[E]`` of the E events, with their graph.

        Raises:
            EventError: it is no vector of numbers.
        """
        given = self._given(t, self._layout.unpack(y))
        if (
            not isinstance(given, Tensor)
            or not given.is_floating_point()
            or given.ndim > 1
            or given.numel() == 0
        ):
            raise self._error(
                f"gave {described(given)}; it must give a tensor of one floating-point number for"
                " the whole solve, or a vector with one for each event (solve a batch state by"
                " state: each has its own event time)."
            )
        if self._count not in (None, given.numel()):
            raise self._error(
                f"gave {self._count} events first and {given.numel()} at"
                f" t = {float(t.detach()):.6g}; the number of events must stay the same."
            )
        self._count = given.numel()
        return given.reshape(-1)

    def numbers(self, t: float, y: Tensor) -> list[float]:
        """The values without a graph.

        Raises:
            EventError: one of them is not finite.
            NotFiniteError: the state is not.
        """
        with torch.no_grad():
            values: list[float] = self(time_of(t, y), y).tolist()
        if not all(map(math.isfinite, values)):
            refuse_not_finite(y, "state", self._method, t)
            raise self._error(
                f"gave {values[0] if len(values) == 1 else values} at t = {t:.6g}; it must give"
                " finite numbers wherever the solver looks, which is also beyond the event, up to"
                " the end of the step."
            )
        return values

    def gradients(self, t: float, y: Tensor) -> list[tuple[float, Tensor]]:
        """The partial derivatives by t and by y, for each event."""
        with torch.enable_grad():
            inputs = time_of(t, y).requires_grad_(), y.detach().requires_grad_()
            return [partial_derivatives(value, *inputs) for value in self(*inputs)]

    def _error(self, words: str) -> EventError:
        name = getattr(self._given, "__qualname__", type(self._given).__name__)
        return EventError(at_place(place_of(self._given), f"the event function {name} {words}"))


def partial_derivatives(value: Tensor, t: Tensor, y: Tensor) -> tuple[float, Tensor]:
    """Those of a scalar by t and by y; zero where it does not depend on them."""
    by_t, by_y = None, None
    if value.requires_grad:
        by_t, by_y = torch.autograd.grad(value, (t, y), retain_graph=True, allow_unused=True)
    return 0.0 if by_t is None else float(by_t), torch.zeros_like(y) if by_y is None else by_y


def time_of(t: float, y: Tensor) -> Tensor:
    """A time as a scalar tensor of the kind of a state."""
    return torch.full((), t, dtype=y.dtype, device=y.device)
