"""How far a run has come: what a checkpoint holds beside weights and generators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from node_cli.training.means import Means


@dataclass
class RunProgress:
    """The position of a run and what it has seen so far.

    Attributes:
        step: optimizer steps done.
        epoch: the current epoch, from 0.
        batch: batches of this epoch done.
        best: the best validation value so far.
        best_epoch: the epoch after which it was seen, from 1.
        stale_epochs: epochs since then.
        validated_step: the step after which the validation set was last evaluated.
        seconds: time spent in the loop, over all parts of a resumed run.
        history: the means of each finished epoch.
        window: sums since the last logged step.
        epoch_sums: sums since the epoch began.
        run_sums: sums since the run began.
        saved_bytes_peak: the most bytes that autograd was seen to keep.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    best: float | None = None
    best_epoch: int | None = None
    stale_epochs: int = 0
    validated_step: int | None = None
    seconds: float = 0.0
    saved_bytes_peak: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    window: Means = field(default_factory=Means)
    epoch_sums: Means = field(default_factory=Means)
    run_sums: Means = field(default_factory=Means)

    def state(self) -> dict[str, Any]:
        """Plain numbers, lists and dictionaries for a checkpoint."""
        plain = {name: value for name, value in vars(self).items() if not isinstance(value, Means)}
        means = {name: value.state() for name, value in vars(self).items() if name not in plain}
        return {**plain, "history": [dict(epoch) for epoch in self.history], **means}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RunProgress:
        """The progress that ``state()`` described."""
        progress = cls()
        for name, value in state.items():
            is_means = isinstance(getattr(progress, name), Means)
            setattr(progress, name, Means(value) if is_means else value)
        return progress
