"""A single run, from its checked command line to its folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from node_cli.command_line.composition import composer, hydra_explained, validate_composed
from node_cli.command_line.flags import Flags
from node_cli.command_line.handing_over import hand_over_run
from node_cli.command_line.resumption import resume_command
from node_cli.console import tell_the_start
from node_cli.errors import Interrupted
from node_cli.plugins.in_use import own_files, records_of
from node_cli.run_folder.own_files import OwnFiles
from node_cli.run_folder.recording import record_settings
from node_cli.schema.catalogue import Catalogue

if TYPE_CHECKING:
    from node_cli.training.interruption import StopRequest


def run_single(flags: Flags, conf: Path, catalogue: Catalogue) -> Path:
    """Train, validate and test.

    Args:
        flags: the command line, checked.
        conf: the folder of the config tree.
        catalogue: the groups of that folder and of the user's own.

    Returns:
        The run folder.

    Raises:
        RunError: the run cannot begin, or failed.
        Interrupted: a signal came; the message says how to resume.
    """
    with composer(conf, flags.config_dir, catalogue) as composed:
        whole = composed(flags.overrides)
        config = validate_composed(whole)
    tell_the_start(config.trainer.progress)
    from node_cli.training.interruption import StopRequest
    from node_cli.training.run import run

    with StopRequest() as stop:
        job = _Job(run, stop, own_files(flags.config_dir))
        with hydra_explained(flags.overrides, catalogue):
            hand_over_run(whole, conf, job)
    if job.error is not None:
        raise job.error
    return job.folder


class _Job:
    """The run as Hydra calls it; its error is kept, so that Hydra has nothing to print about it.

    Args:
        run: that of ``node_cli.training.run``.
        stop: whether the user asked to stop.
        own: the user's own files.
    """

    error: Exception | None = None
    folder: Path

    def __init__(self, run: Callable[..., object], stop: StopRequest, own: OwnFiles) -> None:
        self._run, self._stop, self._own = run, stop, own

    def __call__(self, config: DictConfig) -> None:
        self.folder = Path(HydraConfig.get().runtime.output_dir)
        try:
            validated = validate_composed(config)
            record = partial(record_settings, self.folder, config, records_of(validated))
            self._run(validated, self.folder, self._stop, record)
        except Interrupted as interruption:
            raise Interrupted(
                f"{interruption}. Resume with: {resume_command(self.folder, self._own)}",
                interruption.exit_code - 128,
            ) from interruption
        except Exception as error:
            self.error = error
            with suppress(OSError):
                self.folder.rmdir()  # only an empty one goes: the run has not begun
