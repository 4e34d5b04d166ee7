"""What happens before a run: everything is checked and built, and nothing is written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from node_cli.errors import ConfigError
from node_cli.models.ode_solve import solving_modules
from node_cli.run_folder.recording import overrides_file
from node_cli.run_folder.writing import check_places, remove_leftovers
from node_cli.schema.run import RunConfig
from node_cli.schema.settings import deciding_settings
from node_cli.tasks.base import Task
from node_cli.tasks.registry import find_task
from node_cli.training.checkpoint import check_same_experiment, checkpoint_paths, read_checkpoint
from node_cli.training.interruption import StopRequest
from node_cli.training.loop import TrainingLoop
from node_cli.training.predicting import check_predicts
from node_cli.training.recorder import Recorder
from node_cli.training.restoration import restore_model
from node_cli.training.seeds import seed_all
from node_cli.training.task_results import checked_model
from node_cli.training.terminal import Terminal

# What a run leaves before its first checkpoint, and what is in the way of beginning it again.
_BEGINNINGS = ("metrics.jsonl", "events.out.tfevents.*")


@dataclass(frozen=True)
class Preparation:
    """A run that can begin.

    Attributes:
        task: of the run.
        model: on the device, with the weights that the run goes on from.
        loop: at the step that the run goes on from.
        checkpoint: that it goes on from; None where it begins.
        begins_again: whether it was stopped before its first checkpoint.
    """

    task: Task[Any]
    model: nn.Module
    loop: TrainingLoop
    checkpoint: dict[str, Any] | None
    begins_again: bool

    def has_other_settings(self, config: RunConfig) -> bool:
        """Whether the settings that decide the numbers are not those of the checkpoint."""
        if self.checkpoint is None:
            return True
        wanted = deciding_settings(config.model_dump(mode="json"))
        return deciding_settings(self.checkpoint["config"]) != wanted


def prepare(
    config: RunConfig,
    folder: Path,
    device: torch.device,
    recorder: Recorder,
    terminal: Terminal,
    stop: StopRequest,
) -> Preparation:
    """Build all that a run needs, at the point from which it goes on.

    Args:
        config: the whole run; with ``trainer.resume`` it goes on, or begins again where it was
            stopped before its first checkpoint.
        folder: the run folder, which this process holds.
        device: where to train.
        recorder: of the run.
        terminal: likewise.
        stop: likewise.

    Raises:
        RunError: the run cannot begin or go on; nothing in the folder has changed.
    """
    check_places(folder)
    checkpoint = _checkpoint(config, folder)
    seed_all(config.seed)
    task = find_task(config.task.name)(config)
    model = checked_model(task, task.build_model()).to(device)
    _check_solves(config, task, model)
    if config.trainer.keep_predictions:
        check_predicts(task, "trainer.keep_predictions=true")
    loop = TrainingLoop(config, task, model, folder, device, recorder, terminal, stop)
    if checkpoint is not None:
        _check_best(folder, model, checkpoint)
        loop.restore(checkpoint)
    begins_again = checkpoint is None and config.trainer.resume is not None
    return Preparation(task, model, loop, checkpoint, begins_again)


def clear(folder: Path, goes_on: bool) -> None:
    """Remove what killed processes have left in a run folder, and what the run will write anew.

    Args:
        folder: which this process holds.
        goes_on: whether the run goes on from a checkpoint; what it logged before is kept.
    """
    remove_leftovers(folder)
    (folder / "summary.json").unlink(missing_ok=True)
    for pattern in () if goes_on else _BEGINNINGS:
        for path in folder.glob(pattern):
            path.unlink()


def _checkpoint(config: RunConfig, folder: Path) -> dict[str, Any] | None:
    """The checkpoint to go on from; None where the run has to begin."""
    if config.trainer.resume is None:
        _refuse_what_is_there(folder)
        return None
    path, best = checkpoint_paths(Path(config.trainer.resume))
    if not path.exists() and not best.exists():
        _refuse_if_it_had_checkpoints(folder)
        return None
    checkpoint = read_checkpoint(path)
    check_same_experiment(path, checkpoint, config)
    return checkpoint


def _refuse_what_is_there(folder: Path) -> None:
    """Refuse a folder that holds a run, or files that a run would write over."""
    if overrides_file(folder).exists():
        raise ConfigError(
            f"{folder} already holds a run. Continue it with trainer.resume={folder}, or choose"
            " another folder."
        )
    for path in (folder / "metrics.jsonl", folder / "summary.json", *checkpoint_paths(folder)):
        if path.exists():
            raise ConfigError(f"{path} is there, which a run would write; choose another folder.")


def _refuse_if_it_had_checkpoints(folder: Path) -> None:
    """Keep what a run has logged whose checkpoints were deleted: it would not come again soon."""
    with suppress(FileNotFoundError):
        if b'/val"' in (folder / "metrics.jsonl").read_bytes():
            raise ConfigError(
                f"trainer.resume={folder}: its checkpoints are gone, so that it cannot go on. Put"
                " them back, or start a new run without trainer.resume."
            )


def _check_solves(config: RunConfig, task: Task[Any], model: nn.Module) -> None:
    """Refuse what has the model solved in another way where it solves in a way of its own."""
    if not config.model.solves_an_ode or solving_modules(model):
        return
    asked = [
        name
        for name, given in (
            ("evaluation", config.evaluation.differs),
            ("evaluation.round_trip", config.evaluation.round_trip is True),
            ("study", config.study.name != "none"),
            ("adjoint.check_every", config.adjoint.check_every is not None),
        )
        if given
    ]
    if asked:
        raise ConfigError(
            f"{', '.join(asked)}: the model of task={config.task.name} model={config.model.name}"
            " solves its ODE without OdeSolve, so that it cannot be solved in another way. Solve it"
            " by OdeSolve, or leave these settings out."
        )


def _check_best(folder: Path, model: nn.Module, checkpoint: dict[str, Any]) -> None:
    """Before a long run goes on, see that its best weights so far can be tested at its end."""
    _, best = checkpoint_paths(folder)
    if checkpoint["progress"].get("best_epoch") is not None:
        restore_model(best, model, read_checkpoint(best)["model"])
