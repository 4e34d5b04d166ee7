"""The members of config groups that plugins bring, as Hydra and the help have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from hydra.core.config_store import ConfigStore

from node_cli.plugins.contents import default_values, description_of
from node_cli.plugins.plugin import Plugin
from node_cli.schema.catalogue import StoredMember
from node_cli.tasks.entry import TaskEntry, names_of

_PROVIDER = "node-cli plugin"


def members_of(plugins: Iterable[Plugin]) -> list[StoredMember]:
    """All members that plugins bring."""
    return [member for plugin in plugins for member in _members(plugin)]


def store(members: Iterable[StoredMember]) -> None:
    """Have Hydra find these members, and none that were stored before.

    A YAML file of the same name in the user's own config folder still counts before them.
    """
    hydra = ConfigStore.instance()
    for group in [group for group in hydra.repo.values() if isinstance(group, dict)]:
        for name in [n for n, node in group.items() if getattr(node, "provider", "") == _PROVIDER]:
            del group[name]
    for member in members:
        package = "_global_" if member.group == "task" else member.group
        hydra.store(member.name, dict(member.values), member.group, package, _PROVIDER)


@cache
def _members(plugin: Plugin) -> tuple[StoredMember, ...]:
    return tuple(_each_member(plugin))


def _each_member(plugin: Plugin) -> Iterator[StoredMember]:
    for task in plugin.tasks:
        yield StoredMember(task.name, "task", task.description, _of_the_task(task))
    for group, schema in dict.fromkeys(plugin.schemas()):
        for name in names_of(schema):
            values = {**default_values(schema), "name": name}
            yield StoredMember(name, group, description_of(schema), values)


def _of_the_task(task: TaskEntry) -> dict[str, Any]:
    """What its YAML file would say: the members that it takes, and its other settings."""
    models, data = task.members("model"), task.members("data")
    chosen: dict[str, object] = {"model": models[0], "data": data[0]}
    values: dict[str, Any] = {
        "task": {"name": task.name, "models": list(models), "data": list(data)}
    }
    for name, value in task.defaults.items():
        group, *inner = name.split(".")
        if not inner and isinstance(value, str):
            chosen[group] = value
            continue
        if not inner:
            values[group] = value  # such as the seed
            continue
        place = values
        for part in (group, *inner[:-1]):
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[inner[-1]] = list(value) if isinstance(value, tuple) else value
    defaults = [{f"override /{group}": member} for group, member in chosen.items()]
    return {"defaults": defaults, **values}
