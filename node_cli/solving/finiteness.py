"""Whether states and fields stay within the finite numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from node_cli.solving.failures import NotFiniteError
from node_cli.solving.told_time import at_time, told_length


def refuse_not_finite(values: Tensor, what: str, method: str, t: float) -> None:
    """Refuse a state or a field (``what``) with a value that is not finite.

    Raises:
        NotFiniteError: it has one.
    """
    if not bool(torch.isfinite(values).all()):
        raise NotFiniteError(f"{method} stopped at {at_time(t)}: the {what} is not finite")


def under_vmap(error: RuntimeError) -> bool:
    """Whether a value could not be read because the function is under ``torch.func.vmap``."""
    return str(error).startswith("vmap:")


class FiniteSteps:
    """Counts, on the device, the steps of an interval after which the state is finite.

    The count is read once an interval and not once a step, so that a GPU is not made to wait.

    Args:
        method: the solver's name.
        start: where the interval starts.
        stop: where it ends.
        count: its equal steps.
    """

    def __init__(self, method: str, start: float, stop: float, count: int) -> None:
        self._method, self._start, self._stop, self._count = method, start, stop, count
        self._alive: Tensor | None = None
        self._finite: Tensor | None = None

    def add(self, y: Tensor) -> None:
        """Look at the state after one more step."""
        with torch.no_grad():
            finite = torch.isfinite(y).all()
            self._alive = finite if self._alive is None else self._alive & finite
            counted = self._alive.long()
            self._finite = counted if self._finite is None else self._finite + counted

    def check(self) -> None:
        """Read the count.

        Raises:
            NotFiniteError: the state was not finite after some step.
        """
        if self._finite is None:
            return
        try:
            finite = int(self._finite)
        except RuntimeError as error:
            if not under_vmap(error):
                raise
            return  # no value can be read there
        if finite < self._count:
            step = (self._stop - self._start) / self._count
            where = at_time(self._start + step * (finite + 1))
            raise NotFiniteError(
                f"{self._method} stopped at {where} with a step of {told_length(step)}:"
                " the state is no longer finite",
                fixed=True,
            )
