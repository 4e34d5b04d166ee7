"""One run, from its config to its summary."""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from node_cli.config.resumption import recorded_command
from node_cli.config.run import RunConfig
from node_cli.config.settings import deciding_settings
from node_cli.errors import ConfigError, Interrupted, told
from node_cli.studies import study_of
from node_cli.studies.table import write_table
from node_cli.tasks import find_task
from node_cli.training.checkpoint import check_same_experiment, checkpoint_paths, read_checkpoint
from node_cli.training.failures import told_in_training
from node_cli.training.interruption import StopRequest
from node_cli.training.loop import TrainingLoop
from node_cli.training.recorder import Recorder
from node_cli.training.report_lines import closing_parts, opening_parts, where_lines
from node_cli.training.seeds import seed_all
from node_cli.training.summary import write_summary
from node_cli.training.terminal import Terminal

log = logging.getLogger(__name__)


def run(config: RunConfig, folder: Path, stop: StopRequest, label: str = "") -> dict[str, Any]:
    """Train, validate and test as the config says; leave everything in ``folder``.

    Args:
        config: the whole run.
        folder: the run folder.
        stop: whether the user asked to stop.
        label: of a cell of a sweep, for the progress bar; the sweep tells where it lies.

    Returns:
        The summary, as ``summary.json`` has it.

    Raises:
        RunError: the run cannot go on, and ``summary.json`` says ``failed`` and the cause; or it
            cannot start, and nothing in the folder has changed.
        Interrupted: a signal came; ``summary.json`` says ``interrupted``.
    """
    device = choose_device(config)
    checkpoint = _checkpoint_to_resume(config)
    if checkpoint is None and (folder / "metrics.jsonl").exists():
        raise ConfigError(
            f"{folder} already holds a run. Continue it with trainer.resume={folder}, or choose"
            " another folder."
        )
    log.info("%s", recorded_command(folder) or "no command line")
    best = find_task(config.task.name).best
    known: dict[str, Any] = {"best": best, "device": device}
    terminal = Terminal(config.trainer.progress, label)
    try:
        with terminal:
            _train_and_test(config, folder, checkpoint, stop, terminal, known)
    except Interrupted as interruption:
        log.info("%s", interruption)
        write_summary(folder, config, "interrupted", cause=str(interruption), **known)
        raise
    except Exception as error:
        cause = told(error)
        log.info("failed: %s", cause)  # in the log file only: the command line tells the user
        # Where the disk is full the summary cannot be written either; the first error counts.
        with suppress(OSError):
            write_summary(folder, config, "failed", cause=cause, **known)
        raise
    summary = write_summary(folder, config, "finished", **known)
    if config.study.name != "none":
        terminal.line(f"{config.study.name} measured: {folder / f'{config.study.name}.csv'}")
    result, *costs = closing_parts(summary, best)
    terminal.parts(result, "  ", style="bold")
    for parts in costs:
        terminal.parts(parts, "  ")
    for line in [] if label else where_lines(folder):
        terminal.line(line)
    return summary


def choose_device(config: RunConfig) -> torch.device:
    """The device that the ``trainer`` group asks for.

    Raises:
        ConfigError: torch does not see that device, or it lacks the precision asked for.
    """
    name = config.trainer.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"trainer.device={name}: torch sees {torch.cuda.device_count()} CUDA devices here."
            " Use trainer.device=cpu or auto."
        )
    if config.trainer.precision == "fp16" and device.type != "cuda":
        raise ConfigError("trainer.precision=fp16 needs a CUDA device; bf16 also runs on the CPU.")
    return device


def _train_and_test(
    config: RunConfig,
    folder: Path,
    checkpoint: dict[str, Any] | None,
    stop: StopRequest,
    terminal: Terminal,
    known: dict[str, Any],
) -> None:
    """The run itself; fills ``known`` with what the summary should say, as it becomes known."""
    device = known["device"]
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    torch.autograd.set_detect_anomaly(config.debug.anomaly)
    seed_all(config.seed)
    task = find_task(config.task.name)(config)
    model = task.build_model().to(device)
    known |= {"model": model, "data": task.data_label}
    resumed_at = None if checkpoint is None else checkpoint["progress"]["step"]
    with closing(Recorder(folder, resumed_at)) as recorder:
        loop = TrainingLoop(config, task, model, folder, device, recorder, terminal, stop)
        if checkpoint is not None:
            loop.restore(checkpoint)
        known["progress"] = loop.progress
        opening = opening_parts(config, task.data_label, model, device)
        if resumed_at is not None:
            opening.append(f"resumed at step {resumed_at}")
        terminal.parts(opening, " · ", style="bold")
        plain = config.model_dump(mode="json")
        recorder.opening(deciding_settings(plain))
        recorder.text("config", OmegaConf.to_yaml(plain))
        with told_in_training(config):
            loop.train()
            _, best = checkpoint_paths(folder)
            tested = loop.test(read_checkpoint(best))
        known["final"] = {**loop.progress.history[-1], **tested}
        recorder.ending()
        study = study_of(config.study)
        if study is not None:
            with told_in_training(config, study=True):
                rows = loop.study(study).rows
            write_table(folder, config.study.name, rows)


def _checkpoint_to_resume(config: RunConfig) -> dict[str, Any] | None:
    if config.trainer.resume is None:
        return None
    path, _ = checkpoint_paths(Path(config.trainer.resume))
    checkpoint = read_checkpoint(path)
    check_same_experiment(path, checkpoint, config)
    return checkpoint
