"""A Brownian motion as one solve sees it: it counts the steps that ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from node_cli.solving.failures import StepsError
from node_cli.solving.sde.counted_sde import CountedSde
from node_cli.solving.sde.spec import SdeSpec
from node_cli.solving.step_control import TOO_MANY, UNDERFLOW
from node_cli.solving.told_time import at_time

# A step of this share of the time is lost in rounding.
_ROUNDING = 1e-14
# Queries of an adaptive step: it is taken as a whole and in two halves.
_ATTEMPT = 3


class CountedBrownian:
    """Each step begins with a query; limits of adaptive steps are seen to here.

    Args:
        brownian: the motion itself.
        sde: that is solved, which holds the counts.
        spec: how.
        times: that are output, where a step may be as short as what is left.
    """

    def __init__(
        self, brownian: Any, sde: CountedSde, spec: SdeSpec, times: Sequence[float]
    ) -> None:
        self._brownian, self._sde, self._spec = brownian, sde, spec
        self._unused = sde.unused_channels
        self.shape = (brownian.shape[0], brownian.shape[1] + self._unused)
        self.dtype, self.device = brownian.dtype, brownian.device
        self.levy_area_approximation = brownian.levy_area_approximation
        self._times = frozenset(times)
        self._queries = 0  # since the last attempt began
        self._attempts = 0  # in this pass
        self._started: float | None = None  # where the last attempt began
        self._forward = True

    def backward_begins(self) -> None:
        """From now on, queries belong to the backward pass."""
        self._forward = False
        self._queries, self._started, self._attempts = 0, None, 0

    def __call__(self, ta: Any, tb: Any = None, **wanted: Any) -> Any:
        """The increment, and what else is ``wanted``; with a new step, it is counted."""
        self._sde.forget()
        if not self._spec.adaptive:
            self._sde.accepted()
        else:
            if self._queries == 0:
                begins, ends = (ta, tb) if self._forward else (tb, ta)
                self._attempt(float(begins), float(ends))
            self._queries = (self._queries + 1) % _ATTEMPT
        given = self._brownian(ta, tb, **wanted)
        if not self._unused:
            return given
        return tuple(map(self._padded, given)) if isinstance(given, tuple) else self._padded(given)

    def size(self) -> tuple[int, ...]:
        """Its shape."""
        return self.shape

    def _padded(self, values: Tensor) -> Tensor:
        return functional.pad(values, (0, self._unused))

    def _attempt(self, begins: float, ends: float) -> None:
        """Count a step as accepted, until the next one turns out to begin where it does."""
        if begins == self._started:
            self._sde.was_rejected()
        self._sde.accepted()
        self._started = begins
        self._attempts += 1
        spec = self._spec
        limit = spec.most_steps
        if limit is not None and self._attempts > limit:
            cause, remedy = TOO_MANY
            self._stop(begins, cause.format(limit=f"={limit}"), remedy)
        smallest = max(spec.min_step or 0.0, _ROUNDING * max(abs(begins), abs(ends)))
        if abs(ends - begins) < smallest and ends not in self._times:
            self._stop(begins, *UNDERFLOW)

    def _stop(self, t: float, cause: str, remedy: str) -> None:
        raise StepsError(
            f"{self._spec.method} stopped at {at_time(t)}: {cause}", self._brownian.dtype, remedy
        )
