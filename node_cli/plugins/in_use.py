"""The plugins that a command uses: those that its flags name, its environment, and packages."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from node_cli.errors import ConfigError
from node_cli.run_folder.own_files import OwnFiles
from node_cli.run_folder.recorded_plugins import (
    RecordedPlugin,
    own_files_with,
    recorded_plugins,
)
from node_cli.schema.run import RunConfig

if TYPE_CHECKING:
    from node_cli.plugins.plugin import Plugin
    from node_cli.schema.catalogue import Catalogue, StoredMember

VARIABLE = "NODE_CLI_PLUGINS"
GROUP = "node_cli.tasks"  # of entry points, by which packages name a module

_in_use: tuple[Plugin, ...] = ()


def _by_flag(path: str) -> str:
    return f"--plugin {shlex.quote(path)}"


def plugins_in_use() -> tuple[Plugin, ...]:
    """What the command that goes on uses."""
    return _in_use


def records_of(config: RunConfig) -> list[RecordedPlugin]:
    """What a run records of those of them that it is made with."""
    return [plugin.record for plugin in _in_use if plugin.has_part_in(config)]


def own_files(config_dir: Path | None) -> OwnFiles:
    """The files of the user's own that the command uses, beside this config folder."""
    return own_files_with((plugin.record for plugin in _in_use), config_dir)


def check_recorded(folder: Path, option: str, how: Callable[[str], str] = _by_flag) -> None:
    """Refuse to use a run without the plugins that it was made with, as they were.

    Args:
        folder: of the run.
        option: by which the user named it, for messages.
        how: a plugin is given, by its path, for messages.

    Raises:
        ConfigError: one is missing or has changed, or the record cannot be read.
    """
    try:
        wanted = recorded_plugins(folder)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{option}={folder}: what it records of its plugins cannot be read: {error}."
        ) from error
    require(wanted, f"{option}={folder}", how)


def require(
    wanted: Sequence[RecordedPlugin], subject: str, how: Callable[[str], str] = _by_flag
) -> None:
    """Refuse where a plugin is not in use, or has changed.

    Args:
        wanted: as they were recorded.
        subject: what was made with them, with which the message begins.
        how: a plugin is given, by its path, for messages.

    Raises:
        ConfigError: says which, and how it is given.
    """
    for plugin in wanted:
        if any(used.digest == plugin.digest for used in _in_use):
            continue
        kind = "package" if plugin.path is None else "plugin"
        if any(_is_kin(used.record, plugin) for used in _in_use):
            raise ConfigError(
                f"{subject}: the {kind} {plugin.name} has changed since it was made (its SHA-256"
                f" was {plugin.digest[:12]}...). Give it as it was, or start a new run."
            )
        advice = (
            f"install {plugin.name} again"
            if plugin.path is None
            else f"give it again: {how(plugin.path)}"
        )
        raise ConfigError(
            f"{subject}: it was made with the {kind} {plugin.name}, which is not in use; {advice}."
        )


def _is_kin(one: RecordedPlugin, other: RecordedPlugin) -> bool:
    """Whether they are versions of one file or of one package."""
    if one.path is None or other.path is None:
        return one.path == other.path and one.name.split(" ")[0] == other.name.split(" ")[0]
    return one.name == other.name


def use_plugins(files: Sequence[Path]) -> None:
    """Use these files, those that the environment names, and packages, and no others.

    Args:
        files: that flags name.

    Raises:
        ConfigError: a file cannot be used, or a name is taken.
    """
    named = [("--plugin", path) for path in files]
    named += [
        (VARIABLE, Path(text)) for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text
    ]
    packages = tuple(entry_points(group=GROUP))
    if named or packages or _in_use:
        from node_cli.plugins.loading import loaded

        _use(tuple(loaded(named, packages)))


@contextmanager
def using_plugins(files: Sequence[Path]) -> Iterator[None]:
    """Inside the ``with`` block, these files are used, beside packages and the environment's."""
    with plugins_put_back():
        use_plugins(files)
        yield


@contextmanager
def plugins_put_back() -> Iterator[None]:
    """After the ``with`` block, those plugins are used that were before."""
    before = _in_use
    try:
        yield
    finally:
        if _in_use is not before:
            _use(before)


def _use(plugins: tuple[Plugin, ...]) -> None:
    global _in_use
    from node_cli.plugins.loading import put_in_place

    put_in_place(plugins)
    _in_use = plugins


def stored_members() -> list[StoredMember]:
    """The members of config groups that the plugins in use bring."""
    if not _in_use:
        return []
    from node_cli.plugins.members import members_of

    return members_of(_in_use)


def hide_shadowed(catalogue: Catalogue) -> None:
    """Have Hydra find no member that a YAML file of the user's own replaces."""
    members = stored_members()
    seen = [one for one in members if catalogue.groups[one.group][one.name] == one]
    if len(seen) < len(members):
        from node_cli.plugins.members import store

        store(seen)
