"""``node-train``: reads the command line, checks the config, and hands over to the training run.

Nothing here imports torch before a run is certain.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from node_cli import __version__
from node_cli.command import DEBUG, run_command
from node_cli.command_line.composition import composer, hydra_explained, validate_composed
from node_cli.command_line.flags import Flags, read_flags
from node_cli.command_line.folder_name import register_differing
from node_cli.command_line.fresh_folder import register_fresh_folder
from node_cli.command_line.handing_over import hand_over_sweep
from node_cli.command_line.overrides import cells, check, quoted, split, with_aliases
from node_cli.command_line.plain_paths import with_plain_paths
from node_cli.command_line.resumption import resume, resume_command, resumed_folder
from node_cli.console import tell_the_start
from node_cli.errors import ConfigError, DisagreementError
from node_cli.plugins.in_use import (
    check_recorded,
    hide_shadowed,
    require,
    stored_members,
    use_plugins,
)
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.location import conf_dir
from node_cli.single_run import run_single
from node_cli.sweeping.cell import Cell
from node_cli.sweeping.plan import continued, is_sweep, own_files_of, plugins_of
from node_cli.sweeping.sweep import fixed_order, overrides_for_hydra, planned, run_sweep

# Of a larger sweep only so many jobs are checked beforehand; each is checked again when it starts.
_CELLS_CHECKED = 100


def node_train(arguments: Sequence[str]) -> int:
    """Run a command line; what is wrong is told in one sentence on standard error.

    Returns:
        The exit code: 0; 1 for a run that failed; 2 for a command line or config that is not
        possible; 128 plus the number of the signal that stopped it.
    """
    traced = os.environ.get("HYDRA_FULL_ERROR") == "1" or _asks_for_traceback(arguments)
    return run_command("node-train", partial(_dispatch, traced=traced), arguments, traced)


def read_command(arguments: Sequence[str]) -> tuple[Flags, Path, Catalogue]:
    """A command line, checked; nothing is composed yet.

    Returns:
        Its flags with the full overrides, the folder of the config tree, and the groups that there
        are.

    Raises:
        ConfigError: a flag or an override is wrong.
    """
    flags, conf = read_flags(arguments), conf_dir()
    if flags.shell_completion:
        from node_cli.command_line.completion import use_plugins_on_the_line

        use_plugins_on_the_line()
    elif not flags.version:
        use_plugins(flags.plugin)
    takes_settings = not (flags.shell_completion or flags.help or flags.version)
    if takes_settings:
        flags.overrides = _full_overrides(flags)
    folders = [conf] if flags.config_dir is None else [conf, flags.config_dir]
    catalogue = Catalogue(folders, stored_members())
    hide_shadowed(catalogue)
    if takes_settings:
        check(flags.overrides, catalogue)
    register_fresh_folder(claim=False)
    register_differing()
    return flags, conf, catalogue


def _dispatch(arguments: Sequence[str], traced: bool) -> int:
    flags, conf, catalogue = read_command(arguments)
    if flags.version:
        print(f"node-cli {__version__}")
    elif flags.help:
        from node_cli.command_line.help_page import print_help

        print_help(catalogue)
    elif flags.only_informs:
        from node_cli.showing import show

        show(flags, conf, catalogue)
    elif flags.multirun:
        return _sweep(flags, conf, catalogue, traced)
    else:
        run_single(flags, conf, catalogue)
    return 0


def _full_overrides(flags: Flags) -> list[str]:
    """The overrides with their aliases resolved, and with those of what is resumed."""
    overrides = with_aliases(with_plain_paths(flags.overrides, flags.multirun))
    folder = resumed_folder(overrides)
    if folder is None:
        return overrides
    if is_sweep(folder):
        if flags.only_informs:
            raise ConfigError(
                f"trainer.resume={folder}: this is a sweep; give the folder of one of its cells."
            )
        flags.multirun = True
        _refuse_without_own_files(folder, flags.config_dir)
        return [*continued(overrides, folder), f"hydra.sweep.dir={quoted(str(folder))}"]
    if flags.multirun:
        raise ConfigError(
            f"-m trainer.resume={folder}: that is no sweep; leave out -m to resume a run."
        )
    check_recorded(folder, "trainer.resume")
    return resume(overrides, folder)


def _refuse_without_own_files(folder: Path, config_dir: Path | None) -> None:
    """Use no file that only the folder of a sweep names: someone else may have made it."""
    own = own_files_of(folder)
    if own.config_dir is not None and config_dir is None:
        raise ConfigError(
            f"trainer.resume={folder}: this sweep was started with a config folder of the user's"
            f" own. Name it again if you trust it: {resume_command(folder, own)}"
        )
    require(plugins_of(folder), f"trainer.resume={folder}")


def _sweep(flags: Flags, conf: Path, catalogue: Catalogue, traced: bool) -> int:
    flags.overrides = fixed_order(flags.overrides, catalogue)
    with composer(conf, flags.config_dir, catalogue) as composed:
        fixed, _ = split(flags.overrides)
        base = composed(fixed)
        _check_cells(cells(flags.overrides, _CELLS_CHECKED), composed)
        with hydra_explained(flags.overrides, catalogue):
            register_fresh_folder(claim=True)
            plan = planned(flags.overrides, base, flags.config_dir, traced)
    flags.overrides = [*flags.overrides, *overrides_for_hydra(plan)]
    tell_the_start(base.trainer.progress)

    def run_cells(cell: Cell) -> None:
        with hydra_explained(flags.overrides, catalogue):
            hand_over_sweep(flags, conf, catalogue.groups, cell)

    return run_sweep(plan, run_cells)


def _check_cells(
    jobs: Iterable[Sequence[str]], composed: Callable[[Sequence[str]], DictConfig]
) -> None:
    """Refuse a sweep with a setting that cannot be.

    Cells whose settings only do not go together are another matter: a grid has such corners, and
    they are recorded as failed while the others run.
    """
    possible = impossible = 0
    problem = None
    for job in jobs:
        try:
            validate_composed(composed(job))
            possible += 1
        except DisagreementError as error:
            impossible += 1
            problem = problem or error
    if problem is not None and not possible and impossible < _CELLS_CHECKED:
        raise problem


def _asks_for_traceback(arguments: Sequence[str]) -> bool:
    members = [word.lower().removeprefix("debug=") for word in arguments if word[:6] == "debug="]
    return (
        DEBUG in arguments
        or "debug.traceback=true" in arguments
        or any(member in ("on", "true", "fast", "overfit") for member in members)
    )
