"""A trained run, brought back from its folder to be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from node_cli.errors import CheckpointError, ConfigError
from node_cli.report.record import is_run_folder
from node_cli.schema.run import RunConfig
from node_cli.tasks.base import Task
from node_cli.tasks.registry import find_task
from node_cli.training.checkpoint import checkpoint_paths, config_of, read_checkpoint
from node_cli.training.device import device_named
from node_cli.training.restoration import restore_model
from node_cli.training.task_results import checked_model

Which = Literal["best", "last"]


@dataclass(frozen=True)
class TrainedRun:
    """A run with its weights.

    Attributes:
        config: all settings of the run.
        task: of the run.
        model: with the weights of a checkpoint, on ``device``.
        device: where it is.
    """

    config: RunConfig
    task: Task[Any]
    model: nn.Module
    device: torch.device


def trained_run(
    folder: Path, which: Which = "best", device: str = "cpu", option: str = "RUN"
) -> TrainedRun:
    """Bring a run back, with the plugins that are in use.

    Args:
        folder: of the run.
        which: checkpoint: that of the best epoch, or the last one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        option: by which the user named the run, for messages.

    Raises:
        ConfigError: it is no run folder, or torch does not see the device.
        CheckpointError: there is no such checkpoint, or it does not fit.
        DataError: the run's data say how large the model is, and are not there any more.
    """
    if not folder.is_dir() or not is_run_folder(folder):
        raise ConfigError(
            f"{option} {folder}: this is not the folder of a run; give one, such as"
            " outputs/TASK/DATE_TIME."
        )
    place = device_named(device, "--device")
    last, best = checkpoint_paths(folder)
    path = best if which == "best" else last
    if which == "best" and last.exists() and not best.exists():
        raise CheckpointError(
            f"{folder}: the run has not come to the end of its first epoch, so that it has no best"
            " checkpoint yet; wait for it, go on with it by trainer.resume, or take the last"
            " checkpoint."
        )
    content = read_checkpoint(path, option)
    config = config_of(path, content)
    task = find_task(config.task.name)(config)
    _refuse_other_data(path, task, content)
    with torch.random.fork_rng(devices=[]):  # random numbers of a notebook stay as they are
        try:
            built = task.model_of(content["model"])
        except (LookupError, TypeError, AttributeError, RuntimeError) as error:
            raise CheckpointError(
                f"{path}: its weights do not fit the model of its settings; give another run."
            ) from error
    model = checked_model(task, built)
    restore_model(path, model, content["model"])
    return TrainedRun(config, task, model.to(place), place)


def _refuse_other_data(path: Path, task: Task[Any], content: Mapping[str, Any]) -> None:
    """Where a model is made from its data, these must be what they were."""
    kept = content.get("data_digest")
    made_from_data = type(task).model_of is Task.model_of
    if made_from_data and kept is not None and task.data_digest != kept:
        raise CheckpointError(
            f"{path} belongs to a run on other data: the file of data.path has changed since. Put"
            " it back as it was."
        )
