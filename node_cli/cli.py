"""``node-train``: reads the command line, checks the config, and hands over to the training run.

Nothing here imports torch before a run is certain.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from node_cli import __version__
from node_cli.config.catalogue import Catalogue
from node_cli.config.composition import hydra_explained, validate_composed, validate_jobs
from node_cli.config.fresh_folder import register_fresh_folder
from node_cli.config.location import conf_dir
from node_cli.config.overrides import cells, check, with_aliases
from node_cli.config.resumption import resume, resumed_folder
from node_cli.errors import ConfigError, Interrupted, RunError
from node_cli.flags import Flags, read_flags

# Of a larger sweep only so many jobs are checked beforehand; each is checked again when it starts.
_CELLS_CHECKED = 100


def main() -> None:
    """Run the command line of this process and exit: 0 when all went well."""
    sys.exit(node_train(sys.argv[1:]))


def node_train(arguments: Sequence[str]) -> int:
    """Run a command line; what is wrong is told in one sentence on standard error.

    Returns:
        The exit code: 0; 1 for a run that failed; 2 for a command line or config that is not
        possible; 128 plus the number of the signal that stopped it.
    """
    # A log file that cannot be written must not bury the run's own message in tracebacks.
    logging.raiseExceptions = False
    traced = os.environ.pop("HYDRA_FULL_ERROR", "0") == "1" or _asks_for_traceback(arguments)
    # Hydra then raises what goes wrong, instead of printing it in its own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        return _dispatch(read_flags(arguments), traced)
    except Interrupted as interruption:
        _say(str(interruption))
        return interruption.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _report(error, traced)


def _dispatch(flags: Flags, traced: bool) -> int:
    conf = conf_dir()
    folders = [conf] if flags.config_dir is None else [conf, flags.config_dir]
    catalogue = Catalogue(folders)
    if flags.version:
        print(f"node-cli {__version__}")
        return 0
    if flags.help:
        from node_cli.help_page import print_help

        print_help(catalogue)
        return 0
    if not flags.shell_completion:
        flags.overrides = _full_overrides(flags)
        check(flags.overrides, catalogue)
    register_fresh_folder(claim=not flags.only_informs)
    jobs = cells(flags.overrides, _CELLS_CHECKED) if flags.multirun else iter([flags.overrides])
    if not flags.only_informs:
        validate_jobs(jobs, conf, flags.config_dir, catalogue)
    with hydra_explained(flags.overrides, catalogue):
        return _hand_over(flags, conf, traced)


def _full_overrides(flags: Flags) -> list[str]:
    """The overrides with their aliases resolved, and with those of a run that is resumed."""
    overrides = with_aliases(flags.overrides)
    folder = resumed_folder(overrides)
    if folder is None:
        return overrides
    if flags.multirun:
        raise ConfigError("-m trainer.resume: only one run at a time can be resumed; leave out -m.")
    return resume(overrides, folder)


def _hand_over(flags: Flags, conf: Path, traced: bool) -> int:
    """Let Hydra make the run folder, set up the log and call the job, once or for each cell."""
    exit_codes: list[int] = []

    def job(config: DictConfig) -> float | None:
        # A failure is told here, and not raised: a sweep goes on with its next job, and Hydra has
        # nothing to print about it.
        try:
            result = _run(config)
        except Exception as error:
            exit_codes.append(_report(error, traced, _job_name()))
            return None
        exit_codes.append(0)
        return result

    sys.argv = [sys.argv[0], *flags.for_hydra()]
    hydra.main(version_base="1.3", config_path=str(conf), config_name="config")(job)()
    failures = [code for code in exit_codes if code]
    if failures and flags.multirun:
        _say(f"{len(failures)} of {len(exit_codes)} jobs failed.")
    return failures[0] if failures else 0


def _run(config: DictConfig) -> float | None:
    validated = validate_composed(config)
    from node_cli.training.run import run

    return run(validated, Path(HydraConfig.get().runtime.output_dir))


def _job_name() -> str:
    state = HydraConfig.get()
    return f"job {state.job.num}: " if state.mode == RunMode.MULTIRUN else ""


def _asks_for_traceback(arguments: Sequence[str]) -> bool:
    members = [word.lower().removeprefix("debug=") for word in arguments if word[:6] == "debug="]
    return "debug.traceback=true" in arguments or any(
        member in ("on", "true", "fast", "overfit") for member in members
    )


def _report(error: Exception, traced: bool, where: str = "") -> int:
    """Tell what went wrong; returns the exit code."""
    if traced:
        traceback.print_exception(error)
    if isinstance(error, RunError):
        for sentence in str(error).splitlines():
            _say(where + sentence)
        return error.exit_code
    if isinstance(error, OSError) and error.strerror:
        subject = f"{error.filename}: " if error.filename else ""
        advice = ""
        if error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
            advice = " Choose another place for the run with hydra.run.dir=PATH, or mend this one."
        _say(f"{where}{subject}{error.strerror.lower()}.{advice}")
        return 1
    text = " ".join(str(error).split())
    hint = "" if traced else " Run again with debug=on for the traceback."
    _say(f"{where}unexpected {type(error).__name__}: {text.rstrip('.')}.{hint}")
    return 1


def _say(sentence: str) -> None:
    print(f"node-train: {sentence}", file=sys.stderr)
