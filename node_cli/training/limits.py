"""Where the training of a run ends."""

from __future__ import annotations

from node_cli.schema.trainer import TrainerConfig
from node_cli.training.progress import RunProgress


class Limits:
    """The limits of the ``trainer`` group; the run ends at the first that it reaches.

    Args:
        trainer: that group.
        epoch_batches: batches in an epoch.

    Attributes:
        total_steps: of the whole run, where epochs or steps limit it.
        last_epoch: the epoch that the run ends with, unless its training or the clock ends it
            before; None where nothing says.
    """

    def __init__(self, trainer: TrainerConfig, epoch_batches: int) -> None:
        self._trainer = trainer
        steps = [] if trainer.max_steps is None else [trainer.max_steps]
        if trainer.max_epochs is not None:
            steps.append(trainer.max_epochs * epoch_batches)
        self.total_steps = min(steps, default=None)
        self.last_epoch: int | None = None
        if self.total_steps is not None and trainer.max_minutes is None:
            self.last_epoch = -(-self.total_steps // epoch_batches)

    def reached(self, progress: RunProgress) -> bool:
        """Whether no further step may be taken."""
        minutes = self._trainer.max_minutes
        return self._all_steps(progress) or (
            minutes is not None and progress.seconds >= 60 * minutes
        )

    def finished(self, progress: RunProgress) -> bool:
        """Whether training is over and its last steps are validated."""
        if self._out_of_patience(progress):
            return True
        return self.reached(progress) and progress.validated_step == progress.step

    def ending(self, progress: RunProgress) -> str:
        """The setting that ended a finished training, such as ``trainer.max_steps=300``."""
        trainer = self._trainer
        if self._out_of_patience(progress):
            name = "patience"
        elif trainer.max_steps is not None and progress.step >= trainer.max_steps:
            name = "max_steps"
        else:
            name = "max_epochs" if self._all_steps(progress) else "max_minutes"
        return f"trainer.{name}={getattr(trainer, name):g}"

    def _all_steps(self, progress: RunProgress) -> bool:
        return self.total_steps is not None and progress.step >= self.total_steps

    def _out_of_patience(self, progress: RunProgress) -> bool:
        patience = self._trainer.patience
        return patience is not None and progress.stale_epochs >= patience
