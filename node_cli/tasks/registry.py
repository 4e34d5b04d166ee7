"""The tasks that there are.

Each folder beside this file with an ``entry.py`` brings its own; plugins bring more.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from node_cli.errors import ConfigError
from node_cli.schema.spelling import no_such
from node_cli.tasks.entry import MemberGroup, TaskEntry
from node_cli.tasks.own_settings import OwnField

if TYPE_CHECKING:
    from node_cli.schema.run import RunConfig
    from node_cli.tasks.base import Task

_FAMILIES = Path(__file__).parent

_added: tuple[tuple[TaskEntry, ...], tuple[type[OwnField], ...]] = ((), ())


@lru_cache(maxsize=1)
def family_modules() -> tuple[ModuleType, ...]:
    """The ``entry`` of each family; torch is not imported."""
    families = sorted(m.name for m in pkgutil.iter_modules([str(_FAMILIES)]) if m.ispkg)
    return tuple(importlib.import_module(f"node_cli.tasks.{family}.entry") for family in families)


@lru_cache(maxsize=1)
def family_entries() -> dict[str, TaskEntry]:
    """The tasks of the families, by their names in order."""
    found = {entry.name: entry for module in family_modules() for entry in module.TASKS}
    return dict(sorted(found.items()))


def entries() -> dict[str, TaskEntry]:
    """All tasks, by their names in order, with the models that plugins have for them."""
    return _every(*_added)


def add_from_plugins(tasks: Iterable[TaskEntry], fields: Sequence[type[OwnField]]) -> None:
    """Have these tasks, and these models of any task, beside those of the families.

    What was added before is gone. No name may be there twice.
    """
    global _added
    _added = tuple(tasks), tuple(fields)


@lru_cache(maxsize=1)
def _every(
    tasks: tuple[TaskEntry, ...], fields: tuple[type[OwnField], ...]
) -> dict[str, TaskEntry]:
    every = {**family_entries(), **{entry.name: entry for entry in tasks}}
    return {name: _with(every[name], fields) for name in sorted(every)}


def _with(entry: TaskEntry, fields: Sequence[type[OwnField]]) -> TaskEntry:
    own = [schema for schema in fields if entry.name in schema.tasks]
    return replace(entry, models=(*entry.models, *own)) if own else entry


def find_entry(name: str) -> TaskEntry:
    """What is known of a task.

    Only the tasks that are listed can be meant: a name from a YAML file is never imported.

    Raises:
        ConfigError: there is no such task.
    """
    known = entries()
    if name not in known:
        raise ConfigError(no_such("task", "task.name", name, known))
    return known[name]


def find_task(name: str) -> Callable[[RunConfig], Task[Any]]:
    """What makes a task of the config of a run; it brings torch.

    Raises:
        ConfigError: there is no such task.
    """
    task: Callable[[RunConfig], Task[Any]] = pkgutil.resolve_name(find_entry(name).task)
    return task


def tasks_with(group: MemberGroup, member: str) -> list[str]:
    """The tasks that take a member of a group."""
    return [name for name, entry in entries().items() if member in entry.members(group)]
