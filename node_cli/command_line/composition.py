"""From the command line to a validated config, with Hydra's complaints in the user's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra import compose
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from node_cli.command_line.choice_loader import initialized_hydra
from node_cli.command_line.hydra_settings import check_folders, refuse_references
from node_cli.command_line.overrides import check, quoted
from node_cli.errors import ConfigError
from node_cli.schema.catalogue import Catalogue, about_yaml
from node_cli.schema.run import RunConfig
from node_cli.schema.spelling import did_you_mean, no_such
from node_cli.tasks.entry import MEMBER_GROUPS, TaskEntry
from node_cli.tasks.registry import entries
from node_cli.tasks.validation import validate

# The classes that the config may name: launchers, sweepers, Optuna's samplers, Python's logging.
_KNOWN_CODE = re.compile(
    r"hydra\._internal\.core_plugins\.basic_(launcher\.BasicLauncher|sweeper\.BasicSweeper)"
    r"|hydra_plugins(\.\w+){2}\.\w+(Launcher|Sweeper)"
    r"|optuna\.samplers\.\w+Sampler"
    r"|logging\.(handlers\.\w+Handler|\w+Handler|Formatter)"
)
_NAMING_CODE = ("_target_", "class", "()", "custom_search_space")


@contextmanager
def composer(
    conf: Path, config_dir: Path | None, catalogue: Catalogue
) -> Iterator[Callable[[Sequence[str]], DictConfig]]:
    """Composes configs from overrides, before a folder is made or anything heavy is imported.

    Args:
        conf: the folder of the config tree.
        config_dir: the user's own config folder.
        catalogue: the groups of both folders.

    Yields:
        A function of the overrides of a run, which gives the config with Hydra's own part. It
        raises ``ConfigError`` where they make none.
    """
    extra = search_path(config_dir)

    def composed(job: Sequence[str]) -> DictConfig:
        check(job, catalogue)
        with hydra_explained(job, catalogue):
            config = compose("config", [*job, *extra], return_hydra_config=True)
            _refuse_code(OmegaConf.to_container(config.hydra, resolve=False))
            sweep = OmegaConf.to_container(config.hydra.sweep, resolve=False)
            assert isinstance(sweep, dict)
            try:
                check_folders(config.hydra.run.dir, config.hydra.sweep.dir, str(sweep["subdir"]))
            except OmegaConfBaseException:
                validate_composed(config)  # names of folders hold overrides: theirs is the mistake
                raise
        return config

    with initialized_hydra(conf, catalogue.groups):
        yield composed


def search_path(config_dir: Path | None) -> list[str]:
    """The override that has Hydra look into the user's own config folder as well."""
    if config_dir is None:
        return []
    refuse_references("--config-dir", config_dir)
    return [f"hydra.searchpath=[{quoted(f'file://{config_dir.absolute()}')}]"]


def validate_composed(config: DictConfig) -> RunConfig:
    """The config that Hydra composed as a ``RunConfig``.

    Raises:
        ConfigError: something in it is wrong.
    """
    mine = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    try:
        plain = OmegaConf.to_container(mine, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(_about_value(error)) from error
    assert isinstance(plain, dict)
    return validate({str(key): value for key, value in plain.items()})


@contextmanager
def hydra_explained(overrides: Sequence[str], catalogue: Catalogue) -> Iterator[None]:
    """Turn what Hydra, OmegaConf and YAML raise into a ``ConfigError`` of one sentence."""
    try:
        yield
    except MissingConfigException as error:
        raise ConfigError(_about_member(error, catalogue)) from error
    except HydraException as error:
        raise ConfigError(_about_override(error, overrides, catalogue)) from error
    except OmegaConfBaseException as error:
        # An error of the system, such as a folder that cannot be made, tells more than its wrapper.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            raise cause from None
        raise ConfigError(_about_value(error)) from error
    except yaml.YAMLError as error:
        raise ConfigError(about_yaml(error)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"A YAML file is not UTF-8 text ({error.reason}).") from error


def _about_member(error: MissingConfigException, catalogue: Catalogue) -> str:
    group, slash, name = (error.missing_cfg_file or "").rpartition("/")
    if not slash or error.options is None:
        return _first_line(error)
    group, _, folder = group.partition("/")
    name = f"{folder}/{name}" if folder else name
    return no_such(group, group, name or "''", catalogue.groups.get(group, {}))


def _about_override(error: HydraException, overrides: Sequence[str], catalogue: Catalogue) -> str:
    text = str(error)
    if sweep := re.match(r"Ambiguous value for argument '(.*)'", text):
        name, _, value = sweep[1].partition("=")
        return (
            f"{sweep[1]}: several values make a sweep, which needs the flag -m; a single value with"
            f' a comma needs quotes: "{name}={quoted(value)}".'
        )
    if unknown := re.match(r"Could not override '(.*)'", text):
        return _about_key(unknown[1], overrides, catalogue)
    return _first_line(error)


def _about_key(key: str, overrides: Sequence[str], catalogue: Catalogue) -> str:
    given = next((word for word in overrides if word.lstrip("+~").startswith(f"{key}=")), key)
    having = catalogue.members_with(key)
    group = key.partition(".")[0]
    task = _task_of(overrides, catalogue)
    if task is not None:
        if key in task.refused:
            return f"task={task.name} {given}: {task.refused[key]}."
        if group in MEMBER_GROUPS:
            taken = task.members(group)
            having = [name for name in having if name in taken] or having
    if having:
        return (
            f"{given}: the {group} that is chosen has no such setting; it belongs to"
            f" {' and '.join(f'{group}={name}' for name in having)}."
        )
    return (
        f"{given}: there is no such setting{did_you_mean(key, catalogue.keys())}"
        " See node-train --cfg job for all of them."
    )


def _task_of(overrides: Sequence[str], catalogue: Catalogue) -> TaskEntry | None:
    """The task of a command line; None: it is named in a file only."""
    words = dict(word.split("=", 1) for word in overrides if "=" in word)
    if "task" not in words and "experiment" in words:
        return None
    return entries().get(words.get("task", catalogue.defaults().get("task", "")))


def _about_value(error: OmegaConfBaseException) -> str:
    where = f"{error.full_key}: " if error.full_key else ""
    return f"{where}{_first_line(error)}"


def _first_line(error: Exception) -> str:
    line = next(iter(str(error).splitlines()), type(error).__name__).strip().rstrip(".")
    return f"{line}."


def _refuse_code(node: Any, path: str = "hydra") -> None:
    """Refuse a class or function in Hydra's part of the config that is not Hydra's or Python's."""
    if isinstance(node, list):
        for index, value in enumerate(node):
            _refuse_code(value, f"{path}[{index}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            names_code = key in _NAMING_CODE and value is not None
            if names_code and not _KNOWN_CODE.fullmatch(str(value)):
                raise ConfigError(f"{path}.{key}={value}: a config cannot name code to run.")
            _refuse_code(value, f"{path}.{key}")
