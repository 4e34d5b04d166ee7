"""Ends a solve before what it keeps for its backward pass has taken all the memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from node_cli.errors import is_out_of_memory
from node_cli.free_memory import free_bytes, readable, used_bytes
from node_cli.memory import SavedBytes
from node_cli.solving.failures import MemoryShortageError
from node_cli.solving.stats import SolveStats
from node_cli.solving.told_time import at_time

if TYPE_CHECKING:
    from node_cli.schema.adjoint import AdjointMode

# Of the memory that was free when a solve began, it may take this share.
SHARE = 0.5
# Growth for which no machine needs to be asked what is free.
NOTED = 64 * 2**20
# Evaluations before the first look at the memory, and at most between two.
_FIRST, _MOST = 4, 16


class Guarded(Protocol):
    """What a guard has to know of how a problem is solved."""

    @property
    def method(self) -> str:
        """The solver's name."""
        ...

    @property
    def max_saved_bytes(self) -> int | None:
        """The limit."""
        ...

    @property
    def sparing_modes(self) -> list[AdjointMode]:
        """The adjoint modes that keep less than its own and go with its solver."""
        ...


class SavedBytesGuard:
    """Watches what one forward solve keeps for the backward pass.

    By default it looks each ``_MOST`` evaluations, for a few microseconds, by how much the memory
    in use has grown; ``SHARE`` of what was free is allowed. With ``spec.max_saved_bytes`` it counts
    exactly, which takes time with each tensor that autograd keeps.

    Args:
        spec: of the solve.
        stats: its counts so far.
        device: where the state is.
        field: its parameters and buffers live anyway and do not count; likewise ``parameters``.
        parameters: those of the solve.
    """

    def __init__(
        self,
        spec: Guarded,
        stats: SolveStats,
        device: torch.device,
        field: object = None,
        parameters: Iterable[Tensor] = (),
    ) -> None:
        self._spec, self._stats, self._device = spec, stats, device
        self._keeps = torch.is_grad_enabled()
        self._t: Tensor | float | None = None
        self._saved: SavedBytes | None = None
        self._announced = 0  # bytes that ``keep`` was told of
        self._used: int | None = None  # when the solve began; None: there is nothing to watch
        self._free: int | None = None  # likewise; asked when it is needed
        self._evaluations, self._next, self._wait = 0, _FIRST, _FIRST
        if self._keeps and spec.max_saved_bytes is not None:
            self._saved = SavedBytes(field if isinstance(field, nn.Module) else None, parameters)
        elif self._keeps:
            self._used = used_bytes(device)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Put around the solve.

        Raises:
            MemoryShortageError: an allocation failed, or too much is kept at the end.
        """
        try:
            with nullcontext() if self._saved is None else self._saved.measure():
                yield
                self._announced = 0  # autograd keeps it from now on, where it is counted
                if self._saved is not None:
                    self._check_count(self._saved)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._allocation_failed(error) from error

    def look(self, t: Tensor | float, evaluations: int = 1) -> None:
        """To be called before each evaluation, or so many, the last of which is at time ``t``.

        Raises:
            MemoryShortageError: too much is kept.
        """
        self._t = t
        if self._saved is not None:
            self._check_count(self._saved)
        elif self._used is not None:
            self._evaluations += evaluations
            if self._evaluations >= self._next:
                self._check_growth()

    def keep(self, state: Tensor) -> None:
        """Tell of a state that autograd will keep from the end of the solve on."""
        self._announced += state.nbytes

    def _check_count(self, saved: SavedBytes) -> None:
        kept, limit = saved.bytes_now() + self._announced, self._spec.max_saved_bytes
        if limit is not None and kept > limit:
            raise MemoryShortageError(
                f"{self._stopped()}: {kept:,} bytes are kept for the backward pass, more than"
                f" solver.max_saved_bytes={limit} allows",
                self._spec.sparing_modes,
                limit=limit,
            )

    def _check_growth(self) -> None:
        grown = self._growth() or 0
        self._wait = min(2 * self._wait, _MOST)
        if grown > NOTED:
            if self._free is None:
                left = free_bytes(self._device)
                if left is None:
                    self._used = None
                    return
                self._free = left + grown
            allowed = SHARE * self._free
            if grown > allowed:
                raise MemoryShortageError(
                    f"{self._stopped()}: {readable(grown)} are kept for the backward pass, more"
                    f" than {SHARE:.0%} of the {readable(self._free)} that were free",
                    self._spec.sparing_modes,
                )
            # At the pace so far, the next look is at most half way to what is allowed.
            half_way = self._evaluations * (allowed - grown) / (2 * grown)
            self._wait = max(1, min(self._wait, int(half_way)))
        self._next = self._evaluations + self._wait

    def _growth(self) -> int | None:
        """By how much the memory in use has grown since the solve began."""
        now = None if self._used is None else used_bytes(self._device)
        return None if now is None or self._used is None else now - self._used

    def _allocation_failed(self, error: Exception) -> MemoryShortageError:
        kept = self._saved.bytes_now() if self._saved is not None else self._growth()
        happened = f"{self._stopped()}: {shortage(error)}"
        if self._keeps and kept is not None and kept > 0:
            happened += f", with {readable(kept)} kept for the backward pass"
        left = free_bytes(self._device)
        if left is not None:
            happened += f" and {readable(left)} free"
        return MemoryShortageError(
            happened, self._spec.sparing_modes if self._keeps else (), keeps=self._keeps
        )

    def _stopped(self) -> str:
        stats = self._stats
        at = "" if self._t is None else f" at {at_time(float(self._t))}"
        return (
            f"{self._spec.method} stopped{at} after {stats.steps_accepted:,} steps and"
            f" {stats.nfe_forward:,} evaluations"
        )


def shortage(error: Exception) -> str:
    """What an allocation that failed says, in words that a full stop can follow."""
    wanted = re.search(r"tried to allocate (\d[\d.]* ?\w+)", str(error), re.IGNORECASE)
    return "there is not enough memory" + ("" if wanted is None else f" for {wanted[1]} more")
