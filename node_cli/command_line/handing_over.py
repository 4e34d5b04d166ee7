"""Hands a command line that has been read and checked over to Hydra.

Hydra is called by its API. Its own ``hydra.main`` would read the command line a second time, with
a parser that Python 3.14 refuses to build.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import configure_log, run_job
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from node_cli.command_line.choice_loader import initialized_hydra
from node_cli.command_line.composition import search_path
from node_cli.command_line.flags import Flags
from node_cli.command_line.fresh_folder import register_fresh_folder

_CONFIG = "config"


def hand_over_run(config: DictConfig, conf: Path, job: Callable[[DictConfig], Any]) -> None:
    """Let Hydra make the run folder, set up the log and call the job.

    Args:
        config: of the run, composed and checked, with Hydra's own part.
        conf: the folder of the config tree.
        job: called with the config of the run.
    """
    with _hydra(conf, ()) as hydra:
        OmegaConf.clear_cache(config)  # of names of folders that were only looked at
        config.hydra.mode = RunMode.RUN
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
        callbacks = Callbacks(config)
        callbacks.on_run_start(config=config, config_name=_CONFIG)
        context = HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
        done = run_job(job, config, "hydra.run.dir", None, context)
        callbacks.on_run_end(config=config, config_name=_CONFIG, job_return=done)
        _ = done.return_value  # raises what the job raised


def hand_over_sweep(
    flags: Flags, conf: Path, groups: Collection[str], job: Callable[[DictConfig], Any]
) -> None:
    """Let Hydra do the same for each cell of a sweep.

    Args:
        flags: the command line.
        conf: the folder of the config tree.
        groups: that there are.
        job: called with the config of each run.
    """
    overrides = [*flags.overrides, *search_path(flags.config_dir), "hydra.mode=MULTIRUN"]
    with _hydra(conf, groups) as hydra:
        hydra.multirun(_CONFIG, job, overrides)


@contextmanager
def _hydra(conf: Path, groups: Collection[str]) -> Iterator[Hydra]:
    register_fresh_folder(claim=True)
    with initialized_hydra(conf, groups) as hydra, process_as_it_was():
        yield hydra


@contextmanager
def process_as_it_was() -> Iterator[None]:
    """Put back what Hydra changes in the whole process, which may be a notebook."""
    root, raising = logging.getLogger(), logging.raiseExceptions
    known = [one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    levels = [(logger, logger.level) for logger in (root, *known)]
    handlers = root.handlers[:]
    # Hydra has logging close all handlers that it knows of, log files of the user's own too.
    closable = logging._handlerList[:]  # type: ignore[attr-defined]
    del logging._handlerList[:]  # type: ignore[attr-defined]
    shown = HydraConfig.instance().cfg
    # A log that cannot be written must not bury the run's own message in tracebacks.
    logging.raiseExceptions = False
    try:
        yield
    finally:
        logging.raiseExceptions = raising
        root.handlers[:] = handlers
        for logger, level in levels:
            logger.setLevel(level)
        logging._handlerList[:0] = closable  # type: ignore[attr-defined]
        HydraConfig.instance().cfg = shown
