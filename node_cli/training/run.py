"""One run, from its config to its summary."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from node_cli.errors import ConfigError, Interrupted, told
from node_cli.memory import forget_device_peak
from node_cli.models.model_with_units import times_told_of
from node_cli.run_folder.folder_lock import FolderLock
from node_cli.run_folder.log_file import logged_to
from node_cli.run_folder.recorded_command import recorded_command
from node_cli.run_folder.recorded_file import recorded_summary
from node_cli.run_folder.recording import overrides_file
from node_cli.schema.run import RunConfig
from node_cli.schema.settings import deciding_settings
from node_cli.studies import study_of
from node_cli.studies.study_table import write_table
from node_cli.tasks.base import BestMetric
from node_cli.training.checkpoint import checkpoint_paths, read_checkpoint
from node_cli.training.device import device_named
from node_cli.training.exact_kernels import exact_kernels
from node_cli.training.failures import told_in_training
from node_cli.training.interruption import StopRequest
from node_cli.training.log_position import LogPosition
from node_cli.training.loop import TrainingLoop
from node_cli.training.precision import about_precision
from node_cli.training.preparation import Preparation, clear, prepare
from node_cli.training.recorder import Recorder
from node_cli.training.report_lines import closing_parts, opening_parts, where_lines
from node_cli.training.seeds import random_states, restore_random_states
from node_cli.training.summary import Outcome, write_summary
from node_cli.training.task_results import exits_told
from node_cli.training.terminal import Terminal

log = logging.getLogger(__name__)

# Seconds that a cell waits for the process that still runs it, such as one of a killed sweep.
_PATIENCE = 30.0


def run(
    config: RunConfig,
    folder: Path,
    stop: StopRequest,
    record: Callable[[], None],
    cell: str | None = None,
) -> dict[str, Any]:
    """Train, validate and test as the config says; leave everything in ``folder``.

    Args:
        config: the whole run.
        folder: the run folder, which exists.
        stop: whether the user asked to stop.
        record: writes the settings into the folder; called when everything has been checked.
        cell: the label of a cell of a sweep, for the progress bar. A cell goes on with what its
            folder holds, and the sweep tells where it lies.

    Returns:
        The summary, as ``summary.json`` has it; that of before where the run had finished.

    Raises:
        RunError: the run cannot go on, and ``summary.json`` says ``failed`` and the cause; or it
            cannot begin, and nothing in the folder has changed.
        Interrupted: a signal came; ``summary.json`` says ``interrupted``.
    """
    device = choose_device(config)
    with (
        FolderLock(folder, 0.0 if cell is None else _PATIENCE),
        _torch_as_set(config, device),
        closing(Recorder(folder)) as recorder,
    ):
        forget_device_peak(device)
        if cell is not None and overrides_file(folder).exists():
            resumed = config.trainer.model_copy(update={"resume": str(folder)})
            config = config.model_copy(update={"trainer": resumed})
        terminal = Terminal(config.trainer.progress, cell or "")
        with terminal, exits_told():
            ready = prepare(config, folder, device, recorder, terminal, stop)
        finished = _finished_before(folder, ready)
        if finished is not None:
            ending = ready.loop.limits.ending(ready.loop.progress)
            terminal.line(
                f"{folder} is finished, after {finished['steps']} steps, by {ending}:"
                " nothing was changed. Give more of it to train on."
            )
            return finished
        record()
        with logged_to(folder):
            log.info("%s", recorded_command(folder) or "no command line")
            summary = _carry_out(config, folder, ready, recorder, terminal, device)
            _tell_the_end(config, folder, summary, ready.task.best, terminal, cell)
    return summary


def choose_device(config: RunConfig) -> torch.device:
    """The device that the ``trainer`` group asks for.

    Raises:
        ConfigError: torch does not see that device, or it lacks the precision asked for.
    """
    device = device_named(config.trainer.device, "trainer.device")
    if config.trainer.precision == "fp16" and device.type != "cuda":
        raise ConfigError("trainer.precision=fp16 needs a CUDA device; bf16 also runs on the CPU.")
    return device


@contextmanager
def _torch_as_set(config: RunConfig, device: torch.device) -> Iterator[None]:
    """Settings of torch as the run wants them; afterwards they and all generators are as before."""
    if device.type == "cuda":
        torch.cuda.init()  # now, so that its generators are among those that are put back
    generators = random_states()
    threads, anomaly = torch.get_num_threads(), torch.is_anomaly_enabled()
    try:
        if config.trainer.threads is not None:
            torch.set_num_threads(config.trainer.threads)
        torch.autograd.set_detect_anomaly(config.debug.anomaly)
        with exact_kernels():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.autograd.set_detect_anomaly(anomaly)
        restore_random_states(generators)


def _finished_before(folder: Path, ready: Preparation) -> dict[str, Any] | None:
    """The summary of a run that has nothing left to do."""
    if ready.checkpoint is None or not ready.loop.finished:
        return None
    summary = recorded_summary(folder)  # without one it was killed in its test, which is done again
    return summary if summary.get("status") == "finished" else None


def _carry_out(
    config: RunConfig,
    folder: Path,
    ready: Preparation,
    recorder: Recorder,
    terminal: Terminal,
    device: torch.device,
) -> dict[str, Any]:
    """The run itself; returns its summary."""
    outcome = Outcome(ready.task, ready.model, device, ready.loop.progress)
    try:
        with terminal, exits_told(), times_told_of(ready.model):
            _begin(config, folder, ready, recorder, terminal, device)
            outcome.final = _train_and_test(config, folder, ready.loop)
            recorder.ending()
            _study(config, folder, ready.loop)
            recorder.flush()  # a run is finished when all of its log is written
        return write_summary(folder, config, "finished", outcome)
    except Interrupted as interruption:
        log.info("%s", interruption)
        write_summary(folder, config, "interrupted", outcome, str(interruption))
        raise
    except Exception as error:
        cause = told(error)
        log.info("failed: %s", cause)  # in the log file only: the command line tells the user
        # Where the disk is full the summary cannot be written either; the first error counts.
        with suppress(OSError):
            write_summary(folder, config, "failed", outcome, cause)
        raise


def _begin(
    config: RunConfig,
    folder: Path,
    ready: Preparation,
    recorder: Recorder,
    terminal: Terminal,
    device: torch.device,
) -> None:
    """Bring the folder to where the run goes on from."""
    checkpoint, step = ready.checkpoint, ready.loop.progress.step
    opening = opening_parts(config, ready.task.data_label, ready.model, device)
    if checkpoint is not None:
        opening.append(f"resumed at step {step}")
    terminal.parts(opening, " · ", style="bold")
    for line in ready.task.about_data:
        terminal.parts(line.split(" "), " ")
    for line in about_precision(config):
        terminal.line(line, style="yellow")
    if checkpoint is not None or ready.begins_again:
        clear(folder, goes_on=checkpoint is not None)
    if checkpoint is None:
        recorder.begin()
    else:
        recorder.resume(LogPosition.of(checkpoint), step)
    if ready.has_other_settings(config):
        plain = config.model_dump(mode="json")
        recorder.opening(deciding_settings(plain))
        recorder.text("config", OmegaConf.to_yaml(plain))
    if checkpoint is None:
        last, _ = checkpoint_paths(folder)
        ready.loop.save(last)


def _train_and_test(config: RunConfig, folder: Path, loop: TrainingLoop) -> dict[str, float]:
    """The last metrics by tag, those of the test set among them."""
    with told_in_training(config):
        loop.train()
        _, best = checkpoint_paths(folder)
        tested = loop.test(read_checkpoint(best))
    return {**loop.progress.history[-1], **tested}


def _study(config: RunConfig, folder: Path, loop: TrainingLoop) -> None:
    study = study_of(config.study)
    if study is not None:
        with told_in_training(config, study=True):
            rows = loop.study(study).rows
        write_table(folder, config.study.name, rows)


def _tell_the_end(
    config: RunConfig,
    folder: Path,
    summary: dict[str, Any],
    best: BestMetric,
    terminal: Terminal,
    cell: str | None,
) -> None:
    if config.study.name != "none":
        terminal.line(f"{config.study.name} measured: {folder / f'{config.study.name}.csv'}")
    result, *costs = closing_parts(summary, best)
    terminal.parts(result, "  ", style="bold")
    for parts in costs:
        terminal.parts(parts, "  ")
    for warning in summary["warnings"]:
        terminal.line(warning, style="yellow")
    for line in where_lines(folder) if cell is None else []:
        terminal.line(line)
