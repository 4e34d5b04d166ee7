"""The plugins that a command uses: those that its flags name, its environment, and packages."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from node_cli.config.catalogue import Catalogue, StoredMember
from node_cli.config.location import conf_dir
from node_cli.config.own_files import OwnFiles
from node_cli.config.recorded_plugins import RecordedPlugin, recorded_plugins
from node_cli.config.run import RunConfig
from node_cli.config.schema import Schema
from node_cli.config.spelling import did_you_mean
from node_cli.errors import ConfigError
from node_cli.plugins.contents import plugin_of
from node_cli.plugins.installed import installed_plugins
from node_cli.plugins.members import members_of, store
from node_cli.plugins.plugin import Plugin
from node_cli.plugins.plugin_file import load_file
from node_cli.source_place import line_of_setting, place, place_of
from node_cli.tasks.entry import TaskEntry, names_of
from node_cli.tasks.registry import add_from_plugins, family_entries

VARIABLE = "NODE_CLI_PLUGINS"

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
    paths = (plugin.path for plugin in _in_use)
    return OwnFiles(config_dir, tuple(path for path in paths if path is not None))


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
        if any(used.name.split()[0] == plugin.name.split()[0] for used in _in_use):
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


def use_plugins(files: Sequence[Path]) -> None:
    """Use these files, those that the environment names, and packages, and no others.

    Args:
        files: that flags name.

    Raises:
        ConfigError: a file cannot be used, or a name is taken.
    """
    loaded: dict[Path, Plugin] = {}
    named = [("--plugin", path) for path in files]
    named += [
        (VARIABLE, Path(text)) for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text
    ]
    for source, path in named:
        where = path.expanduser().absolute()
        if where not in loaded:
            module, digest = load_file(where, source)
            loaded[where] = plugin_of(module, where.name, digest, where)
    _use([*installed_plugins(), *loaded.values()])


@contextmanager
def using_plugins(files: Sequence[Path]) -> Iterator[None]:
    """Inside the ``with`` block, these files are used, beside packages and the environment's."""
    before = _in_use
    use_plugins(files)
    try:
        yield
    finally:
        _use(before)


def _use(plugins: Sequence[Plugin]) -> None:
    global _in_use
    if plugins:
        _refuse_taken_names(plugins)
        _refuse_unknown_settings(plugins)
    add_from_plugins(
        [task for plugin in plugins for task in plugin.tasks],
        [schema for plugin in plugins for schema in plugin.fields],
    )
    store(members_of(plugins))
    _in_use = tuple(plugins)


def stored_members() -> list[StoredMember]:
    """The members of config groups that the plugins in use bring."""
    return members_of(_in_use)


def _refuse_taken_names(plugins: Sequence[Plugin]) -> None:
    """A name that one plugin gives cannot be ours, or that of another."""
    owners: dict[tuple[str, str], tuple[str, object]] = {}
    for entry in family_entries().values():
        owners[("task", entry.name)] = ("node-cli", entry)
        for group in ("model", "data"):
            for schema in entry.schemas(group):
                owners |= {(group, name): ("node-cli", schema) for name in names_of(schema)}
    for plugin in plugins:
        given: list[tuple[str, str, object]] = [("task", one.name, one) for one in plugin.tasks]
        given += [
            (group, name, schema) for group, schema in plugin.schemas() for name in names_of(schema)
        ]
        for group, name, thing in given:
            owner, known = owners.setdefault((group, name), (plugin.name, thing))
            if known is not thing:
                raise ConfigError(
                    f"{_place(plugin, thing)}: {group}={name} is taken; {owner} has one of that"
                    " name. Choose another name."
                )


def _refuse_unknown_settings(plugins: Sequence[Plugin]) -> None:
    """What a task sets of other groups has to be there."""
    catalogue = Catalogue([conf_dir()], members_of(plugins))
    known = catalogue.keys()
    for plugin in plugins:
        for task in plugin.tasks:
            for key, value in task.defaults.items():
                where = f"{_place(plugin, task, 'defaults')}: {key}={value}"
                if key in catalogue.groups:
                    if value not in catalogue.groups[key]:
                        members = catalogue.groups[key]
                        raise ConfigError(
                            f"{where}: there is no such {key}{did_you_mean(str(value), members)}"
                            f" Known: {', '.join(members)}."
                        )
                elif key not in known:
                    hint = did_you_mean(key, known)
                    raise ConfigError(f"{where}: there is no such setting{hint}")


def _place(plugin: Plugin, thing: object, setting: str = "name") -> str:
    """Where a plugin says something of a task or of settings."""
    if isinstance(thing, TaskEntry):
        class_name = thing.task.rpartition(":")[2]
        line = None if plugin.path is None else line_of_setting(plugin.path, class_name, setting)
        return place(plugin.name, line)
    if isinstance(thing, type) and issubclass(thing, Schema):
        return place_of(thing) or plugin.name
    return plugin.name
