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
    """Counts, on the device, the steps after which the state is finite.

    The count is not read after each step, so that a GPU is not made to wait; nor after each of
    many intervals, but ever more rarely.

    Args:
        method: the solver's name.
        reads_freely: nothing waits where a count is read; then it is after each interval.
    """

    def __init__(self, method: str, reads_freely: bool) -> None:
        self._method, self._reads_freely = method, reads_freely
        self._intervals = 0
        self._unread: list[tuple[float, float]] = []  # steps
        self._finite: Tensor | int = 0

    def add(self, step: tuple[float, float], y: Tensor) -> None:
        """Look at the state after one more step, which started and ended at these times.

        What is not finite stays so in each step.
        """
        self._unread.append(step)
        with torch.no_grad():
            self._finite = self._finite + torch.isfinite(y).all()

    def interval_ends(self) -> None:
        """Read the count after the first, second, fourth, eighth ... of the intervals.

        Raises:
            NotFiniteError: the state was not finite after some step.
        """
        self._intervals += 1
        if self._reads_freely or self._intervals & (self._intervals - 1) == 0:
            self.check()

    def check(self) -> None:
        """Read the count.

        Raises:
            NotFiniteError: the state was not finite after some step.
        """
        try:
            finite = int(self._finite)
        except RuntimeError as error:
            if not under_vmap(error):
                raise
            return  # no value can be read there
        if finite < len(self._unread):
            start, end = self._unread[finite]
            raise NotFiniteError(
                f"{self._method} stopped at {at_time(end)} with a step of"
                f" {told_length(end - start)}: the state is no longer finite",
                fixed=True,
            )
        self._unread, self._finite = [], 0
