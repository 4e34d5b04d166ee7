"""Hands a command line that has been read and checked over to Hydra.

Hydra is called by its API. Its own ``hydra.main`` would read the command line a second time, with
a parser that Python 3.14 refuses to build.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from node_cli.command_line.composition import search_path
from node_cli.command_line.flags import Flags
from node_cli.command_line.fresh_folder import register_fresh_folder

_CONFIG = "config"


def hand_over(flags: Flags, conf: Path, job: Callable[[DictConfig], Any]) -> None:
    """Let Hydra make the run folder, set up the log and call the job, once or for each cell.

    Args:
        flags: the command line; a run, or a sweep with ``multirun``.
        conf: the folder of the config tree.
        job: called with the config of each run.
    """
    register_fresh_folder(claim=True)
    overrides = [*flags.overrides, *search_path(flags.config_dir)]
    with (
        initialize_config_dir(str(conf), version_base="1.3", job_name="node-train"),
        process_as_it_was(),
    ):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        if flags.multirun:
            hydra.multirun(_CONFIG, job, [*overrides, "hydra.mode=MULTIRUN"])
        else:
            hydra.run(_CONFIG, job, [*overrides, "hydra.mode=RUN"])


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
