"""A vector field that counts its evaluations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from node_cli.solving.spec import SolverKind
from node_cli.solving.stats import SolveStats

State = Tensor | tuple[Tensor, ...]
VectorField = Callable[[Tensor, Any], Any]


class CountedField:
    """The vector field as one solve sees it.

    Counts evaluations as forward until ``forward_done`` is called and as backward from then on,
    and counts steps through the callbacks that torchdiffeq offers. Every solve wraps its field
    anew, so a field that is solved twice keeps two counts apart.

    The adjoint evaluates the field again while gradients are computed, outside of the autocast
    region of the forward pass: the region is entered again here, so that both passes evaluate the
    same function. The result is always of the state's dtype, so that the solver's own arithmetic
    keeps its precision.
    """

    def __init__(self, field: VectorField, kind: SolverKind, device: torch.device) -> None:
        self.stats = SolveStats()
        self.last_time: Tensor | None = None
        self._field = field
        self._forward = True
        self._autocast = (
            torch.autocast(device.type, dtype=torch.get_autocast_dtype(device.type))
            if torch.is_autocast_enabled(device.type)
            else None
        )
        # torchdiffeq warns about callbacks that a solver never calls, so each kind gets its own.
        if kind == "adaptive":
            self.callback_accept_step = self._accept
            self.callback_reject_step = self._reject
            self.callback_accept_step_adjoint = self._accept_backward
            self.callback_reject_step_adjoint = self._reject_backward
        elif kind == "fixed":
            self.callback_step = self._accept
            self.callback_step_adjoint = self._accept_backward

    def forward_done(self) -> None:
        """From now on, evaluations belong to the backward pass."""
        self._forward = False

    def __call__(self, t: Tensor, y: State) -> State:
        """Evaluate ``f(t, y)``; of the shape and dtype of ``y``."""
        self.last_time = t
        if self._forward:
            self.stats.nfe_forward += 1
        else:
            self.stats.nfe_backward += 1
        if self._autocast is None:
            evaluated: State = self._field(t, y)
            return evaluated
        with self._autocast:
            dydt = self._field(t, y)
        if isinstance(y, Tensor):
            derivative: Tensor = dydt.to(y.dtype)
            return derivative
        return tuple(part.to(state.dtype) for part, state in zip(dydt, y, strict=True))

    def _accept(self, *_: object) -> None:
        self.stats.steps_accepted += 1

    def _reject(self, *_: object) -> None:
        self.stats.steps_rejected += 1

    def _accept_backward(self, *_: object) -> None:
        self.stats.backward_steps_accepted += 1

    def _reject_backward(self, *_: object) -> None:
        self.stats.backward_steps_rejected += 1
