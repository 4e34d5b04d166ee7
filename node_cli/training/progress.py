"""How far a run has come: what a checkpoint holds beside weights and generators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from node_cli.training.means import Means, Number

Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


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
        compiled: what ``compile=auto`` has decided; None: nothing yet.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    step: Count = 0
    epoch: Count = 0
    batch: Count = 0
    best: Number | None = None
    best_epoch: Count | None = None
    stale_epochs: Count = 0
    validated_step: Count | None = None
    seconds: Annotated[Number, Field(ge=0, allow_inf_nan=False)] = 0.0
    saved_bytes_peak: Count = 0
    compiled: bool | None = None
    history: list[dict[str, Number]] = field(default_factory=list)
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
        """The progress that ``state()`` described.

        Raises:
            ValueError: it is no such description; a ``pydantic.ValidationError`` says where.
        """
        return _ADAPTER.validate_python(state)


_ADAPTER = TypeAdapter(RunProgress)
