"""The flags that show something and run nothing: ``--cfg``, ``--dry-run``, ``--info``, ``-sc``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from node_cli.command_line.choice_loader import initialized_hydra
from node_cli.command_line.completion import print_candidates
from node_cli.command_line.composition import composer, hydra_explained, search_path
from node_cli.command_line.flags import Flags, flag_parser
from node_cli.command_line.handing_over import process_as_it_was
from node_cli.command_line.overrides import cells, split
from node_cli.errors import ConfigError
from node_cli.schema.catalogue import Catalogue
from node_cli.sweeping.dry_run import CELLS_SHOWN, show_run, show_sweep
from node_cli.sweeping.sweep import fixed_order, planned


def show(flags: Flags, conf: Path, catalogue: Catalogue) -> None:
    """Show what is asked for.

    Args:
        flags: the command line, checked.
        conf: the folder of the config tree.
        catalogue: the groups of that folder and of the user's own.

    Raises:
        ConfigError: it cannot be shown, or not run.
    """
    with process_as_it_was():
        _show(flags, conf, catalogue)


def _show(flags: Flags, conf: Path, catalogue: Catalogue) -> None:
    if flags.shell_completion and flags.overrides[0].startswith("query="):
        print_candidates(flags.overrides[0].partition("=")[2], conf, catalogue)
    elif not (flags.cfg or flags.dry_run):
        if flags.info:  # Hydra tells in its own way of what it cannot compose
            with composer(conf, flags.config_dir, catalogue) as composed:
                composed(flags.overrides)
        with hydra_explained(flags.overrides, catalogue):
            _show_of_hydra(flags, conf, catalogue)
    else:
        with composer(conf, flags.config_dir, catalogue) as composed:
            if flags.multirun:
                _show_sweep(flags, composed, catalogue)
            elif flags.dry_run:
                show_run(composed(flags.overrides))
            else:
                print(_settings(composed(flags.overrides), flags, catalogue), end="")


def _show_sweep(
    flags: Flags, composed: Callable[[Sequence[str]], DictConfig], catalogue: Catalogue
) -> None:
    overrides = fixed_order(flags.overrides, catalogue)
    fixed, swept = split(overrides)
    base = composed(fixed)
    with hydra_explained(overrides, catalogue):
        plan = planned(overrides, base, flags.config_dir)
    if flags.dry_run:
        show_sweep(plan, composed)
    elif plan.searches:
        print(f"# a search of {plan.cells} cells; it chooses {' '.join(swept)}")
        print(_settings(base, flags, catalogue), end="")
    else:
        for number, job in enumerate(cells(overrides, CELLS_SHOWN), start=1):
            what = " ".join(word for word in job if word not in fixed)
            print(f"---\n# cell {number} of {plan.cells}: {what}")
            print(_settings(composed(job), flags, catalogue), end="")
        if plan.cells > CELLS_SHOWN:
            print(f"---\n# ... and {plan.cells - CELLS_SHOWN} more cells")


def _show_of_hydra(flags: Flags, conf: Path, catalogue: Catalogue) -> None:
    overrides = [*flags.overrides, *search_path(flags.config_dir)]
    with initialized_hydra(conf, catalogue.groups) as hydra:
        if flags.hydra_help:
            hydra.hydra_help("config", flag_parser(), Namespace(overrides=[]))
        elif flags.shell_completion:
            hydra.shell_completion("config", flags.overrides)
        else:
            hydra.show_info(flags.info or "all", "config", overrides)


def _settings(config: DictConfig, flags: Flags, catalogue: Catalogue) -> str:
    """The settings as YAML, as Hydra shows them."""
    HydraConfig.instance().set_config(config)
    with hydra_explained(flags.overrides, catalogue):
        shown: object = _part(config, flags)
        if not OmegaConf.is_config(shown):
            return f"{shown}\n"
        assert isinstance(shown, DictConfig | ListConfig)
        title = f"# @package {flags.package}\n" if flags.package else ""
        return title + OmegaConf.to_yaml(shown, resolve=flags.resolve)


def _part(config: DictConfig, flags: Flags) -> object:
    names = [str(name) for name in config]
    if flags.cfg == "job":
        names = [name for name in names if name != "hydra"]
    elif flags.cfg == "hydra":
        names = ["hydra"]
        with flag_override(config.hydra, ["struct", "readonly"], [False, False]):
            for template in ("help", "hydra_help"):
                config.hydra.pop(template, None)
    whole = OmegaConf.masked_copy(config, names)
    if flags.package is None or flags.package == "_global_":
        return whole
    try:
        part = OmegaConf.select(config, flags.package)
    except OmegaConfBaseException:
        part = None
    if part is None:
        raise ConfigError(
            f"--package={flags.package}: there is no such part of the settings. Known:"
            f" {', '.join(map(str, whole))}, and what is in them, as in tolerance.rtol."
        )
    return part
