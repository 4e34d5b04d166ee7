"""From files and packages to plugins whose members, tasks and models are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

from node_cli.errors import ConfigError
from node_cli.plugins.contents import plugin_of
from node_cli.plugins.installed import installed_plugins
from node_cli.plugins.members import members_of, store
from node_cli.plugins.plugin import Plugin
from node_cli.plugins.plugin_file import load_file
from node_cli.run_folder.own_files import real_path
from node_cli.schema.base import Schema
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.location import conf_dir
from node_cli.schema.spelling import did_you_mean
from node_cli.source_place import line_of_setting, place, place_of
from node_cli.tasks.entry import MEMBER_GROUPS, TaskEntry, names_of
from node_cli.tasks.registry import add_from_plugins, family_entries


def loaded(named: Iterable[tuple[str, Path]], packages: tuple[EntryPoint, ...]) -> list[Plugin]:
    """The plugins of packages, and of files.

    Args:
        named: each file with how the user named it; one that is named twice is taken once.
        packages: their entry points.

    Raises:
        ConfigError: a file cannot be used, or a name is taken.
    """
    files: dict[Path, Plugin] = {}
    for source, path in named:
        where = real_path(path)
        if where not in files:
            module, digest = load_file(where, source)
            files[where] = plugin_of(module, where.name, digest, where)
    plugins = [*installed_plugins(packages), *files.values()]
    _refuse_taken_names(plugins)
    _refuse_unknown_settings(plugins)
    return plugins


def put_in_place(plugins: Sequence[Plugin]) -> None:
    """Have what these plugins bring found, and nothing of those before."""
    add_from_plugins(
        [task for plugin in plugins for task in plugin.tasks],
        [schema for plugin in plugins for schema in plugin.fields],
    )
    store(members_of(plugins))


def _refuse_taken_names(plugins: Sequence[Plugin]) -> None:
    """A name that one plugin gives cannot be ours, or that of another."""
    owners: dict[tuple[str, str], tuple[str, object]] = {}
    for entry in family_entries().values():
        owners[("task", entry.name)] = ("node-cli", entry)
        for group in MEMBER_GROUPS:
            for schema in entry.schemas(group):
                owners |= {(group, member): ("node-cli", schema) for member in names_of(schema)}
    for plugin in plugins:
        given: list[tuple[str, str, object]] = [("task", one.name, one) for one in plugin.tasks]
        given += [
            (group, name, schema) for group, schema in plugin.schemas() for name in names_of(schema)
        ]
        for kind, name, thing in given:
            owner, known = owners.setdefault((kind, name), (plugin.name, thing))
            if known is not thing:
                raise ConfigError(
                    f"{_place(plugin, thing)}: {kind}={name} is taken; {owner} has one of that"
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
                    if not isinstance(value, str) or value not in catalogue.groups[key]:
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
