"""What a solve cost: evaluations of the vector field and steps, forward and backward apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields


@dataclass
class SolveStats:
    """Counts of one solve.

    The backward counts grow while its gradient is computed, so read them after ``backward()``.

    Attributes:
        nfe_forward: evaluations of the vector field in the forward solve (NFE-F); of an SDE those
            of drift and diffusion together.
        nfe_backward: evaluations in the backward solve (NFE-B); 0 with direct backpropagation,
            which differentiates the forward evaluations and makes no new ones.
        nfe_drift: those of the forward solve that evaluate the drift of an SDE; 0 for an ODE.
        nfe_diffusion: those that evaluate its diffusion.
        nfe_drift_backward: likewise in the backward solve.
        nfe_diffusion_backward: likewise in the backward solve.
        steps_accepted: steps that the forward solve kept.
        steps_rejected: steps that it tried and threw away for their error.
        backward_steps_accepted: likewise in the backward solve.
        backward_steps_rejected: likewise in the backward solve.
    """

    nfe_forward: int = 0
    nfe_backward: int = 0
    nfe_drift: int = 0
    nfe_diffusion: int = 0
    nfe_drift_backward: int = 0
    nfe_diffusion_backward: int = 0
    steps_accepted: int = 0
    steps_rejected: int = 0
    backward_steps_accepted: int = 0
    backward_steps_rejected: int = 0

    @property
    def scalars(self) -> dict[str, float]:
        """What is logged of a training step, by tag; drift and diffusion where there are any."""
        counts: dict[str, float] = {
            "nfe/forward": self.nfe_forward,
            "nfe/backward": self.nfe_backward,
            "solver/steps_accepted": self.steps_accepted,
            "solver/steps_rejected": self.steps_rejected,
        }
        if self.nfe_drift or self.nfe_diffusion:
            counts |= {
                "nfe/drift": self.nfe_drift,
                "nfe/diffusion": self.nfe_diffusion,
                "nfe/drift_backward": self.nfe_drift_backward,
                "nfe/diffusion_backward": self.nfe_diffusion_backward,
            }
        return counts

    def evaluation_scalars(self, split: str, batches: int) -> dict[str, float]:
        """What is logged of an evaluation of so many batches, by tag: means over them."""
        counts = {"nfe/forward": self.nfe_forward}
        if self.nfe_drift or self.nfe_diffusion:
            counts |= {"nfe/drift": self.nfe_drift, "nfe/diffusion": self.nfe_diffusion}
        return {f"{tag}_{split}": count / batches for tag, count in counts.items()}


_recorded: ContextVar[list[SolveStats] | None] = ContextVar("recorded_solves", default=None)


@contextmanager
def record_solves() -> Iterator[list[SolveStats]]:
    """Collect the stats of every solve inside the ``with`` block, nested blocks included.

    Yields:
        A list that grows by one entry a solve. The entries are live: a gradient computed later,
        even outside the block, still adds to its solve's backward counts.
    """
    outer = _recorded.get()
    collected: list[SolveStats] = []
    token = _recorded.set(collected)
    try:
        yield collected
    finally:
        _recorded.reset(token)
        if outer is not None:
            outer.extend(collected)


def announce(stats: SolveStats) -> None:
    """Give a solve's stats to the innermost ``record_solves`` block, if there is one."""
    collected = _recorded.get()
    if collected is not None:
        collected.append(stats)


def total(solves: Iterable[SolveStats]) -> SolveStats:
    """The sum of the counts of several solves."""
    summed = SolveStats()
    for stats in solves:
        for field in fields(SolveStats):
            setattr(summed, field.name, getattr(summed, field.name) + getattr(stats, field.name))
    return summed
