"""One cell of a sweep: run it, go on with it, or see that it is done."""

from __future__ import annotations

import gc
import os
import socket
import time
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from node_cli.command_line.composition import validate_composed
from node_cli.command_line.folder_name import register_differing
from node_cli.console import line_console
from node_cli.errors import CheckpointError, ConfigError, Interrupted, told
from node_cli.plain_text import plain_text
from node_cli.plugins.in_use import check_recorded, records_of, require, use_plugins
from node_cli.report.cell_table import cell_name
from node_cli.report.record import read_record
from node_cli.run_folder.folder_lock import HeldError, remove_stale_lock
from node_cli.run_folder.recorded_command import is_command_of
from node_cli.run_folder.recorded_file import recorded_summary
from node_cli.run_folder.recording import overrides_file, record_settings
from node_cli.signal_handlers import ignore_the_terminal
from node_cli.sweeping.objectives import objectives_of
from node_cli.sweeping.orphan import CELL_RUNS, end_when_orphaned, is_orphan
from node_cli.sweeping.plan import SweepPlan
from node_cli.sweeping.stopping import stop_file
from node_cli.sweeping.time_left import time_left

# A launcher may import this module in another process, where the names of folders are resolved.
register_differing()


class Cell:
    """The job that Hydra's launchers call with the config of each cell.

    A failure is recorded in the cell's folder and not raised, so that the sweep goes on; so is an
    interruption in another process, where only that cell was told to stop.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: SweepPlan) -> None:
        self._plan = plan
        self._process = _this_process()
        self._started = time.monotonic()
        self._run_here = 0  # cells that took their time in this process

    def __call__(self, config: DictConfig) -> float | tuple[float, ...] | None:
        """Bring the cell to its end.

        Returns:
            Its objectives, for sweepers that search; None where it failed.

        Raises:
            Interrupted: the process of the sweep was told to stop.
            ConfigError: the folder holds another run, which must not be lost.
        """
        if _this_process() == self._process:
            return self._brought_to_its_end(config, elsewhere=False)
        ignore_the_terminal()  # its signals reach all; here the stop file tells what to do
        end_when_orphaned()
        with CELL_RUNS:
            return None if is_orphan() else self._brought_to_its_end(config, elsewhere=True)

    def _brought_to_its_end(
        self, config: DictConfig, elsewhere: bool
    ) -> float | tuple[float, ...] | None:
        if not self._plan.in_turn and stop_file(self._plan.folder).exists():
            return None
        hydra = HydraConfig.get()
        folder, number = Path(hydra.runtime.output_dir), int(hydra.job.num) + 1
        summary = _previous(folder, hydra.overrides.task)
        done = summary is not None and summary["status"] == "finished"
        self._tell_start(number, folder, done)
        try:
            if summary is None or not done:
                summary = self._run(config, folder, number, elsewhere)
                self._run_here += 1
            else:
                remove_stale_lock(folder)
            return objectives_of(summary, config.objectives)
        except Interrupted:
            if not elsewhere:
                raise
        except HeldError as error:  # nothing of it is ours to change
            self._tell_failure(told(error))
        except Exception as error:
            self._run_here += 1
            self._record(error, config, folder)
        gc.collect()  # what a failed run kept in memory, and torchdiffeq's solvers hold in a cycle
        return None

    def _run(
        self, config: DictConfig, folder: Path, number: int, elsewhere: bool
    ) -> dict[str, Any]:
        if elsewhere:
            use_plugins(self._plan.own.plugins)
            require(self._plan.plugins, str(self._plan.folder))
        check_recorded(folder, "trainer.resume")
        validated = validate_composed(config)
        if not self._plan.in_turn:  # several cells would write over each other
            trainer = validated.trainer.model_copy(update={"progress": "off"})
            validated = validated.model_copy(update={"trainer": trainer})
        from node_cli.training.interruption import StopRequest
        from node_cli.training.run import run

        label = f"cell {number}/{self._plan.cells} · "
        watched = None if self._plan.in_turn else stop_file(self._plan.folder)
        record = partial(record_settings, folder, config, records_of(validated))
        with StopRequest(watched, is_orphan if elsewhere else None) as stop:
            summary = run(validated, folder, stop, record, label)
        if stop:  # it came too late for this cell, and not for the sweep
            assert stop.signal_number is not None
            raise Interrupted(f"stopped by {stop.signal_name}", stop.signal_number)
        return summary

    def _record(self, error: Exception, config: DictConfig, folder: Path) -> None:
        if self._plan.traced:
            traceback.print_exception(error)
        cause = told(error)
        if isinstance(error, CheckpointError):
            cause += f" Remove {folder} to run this cell from its beginning."
        self._tell_failure(cause)
        from node_cli.training.summary import write_refusal

        record = read_record(folder)
        # A run that had begun has written its summary itself.
        if record.status != "finished" and record.cause != cause:
            plain = OmegaConf.to_container(config, resolve=True)
            assert isinstance(plain, dict)
            if not overrides_file(folder).exists():
                record_settings(folder, config)
            write_refusal(folder, {str(k): v for k, v in plain.items()}, cause)

    def _tell_failure(self, cause: str) -> None:
        if self._plan.in_turn:
            line_console(stderr=True).print(f"failed: {cause}", style="red")

    def _tell_start(self, number: int, folder: Path, done: bool) -> None:
        if not self._plan.in_turn:
            return
        _, what = cell_name(folder)
        parts = [f"cell {number} of {self._plan.cells}", what]
        if done:
            parts.append("finished before")
        else:
            left = time_left(
                time.monotonic() - self._started, self._run_here, self._plan.cells - number + 1
            )
            parts.append(f"about {left} left" if left else "")
        console = line_console()
        if not done:
            console.print()
        console.print(" · ".join(filter(None, parts)), style="bold cyan")


def _this_process() -> tuple[str, int]:
    """The machine and the process; two machines may have processes of one number."""
    return socket.gethostname(), os.getpid()


def _previous(folder: Path, overrides: Sequence[str]) -> dict[str, Any] | None:
    """The summary of a cell that was run before, if its folder holds one that can be read.

    Args:
        folder: of the cell.
        overrides: that give this cell.

    Raises:
        ConfigError: the folder holds another run, which must not be lost.
    """
    record = read_record(folder)
    if record.status == "unreadable":
        return None
    if record.status == "unfinished" and not overrides_file(folder).exists():
        return None  # it has not begun
    if not is_command_of(record.command, overrides):
        raise ConfigError(
            f"{folder} already holds another run ({plain_text(record.command)}). Choose"
            " another folder with hydra.sweep.dir=PATH."
        )
    if record.status == "unfinished":
        return None
    return recorded_summary(folder)
