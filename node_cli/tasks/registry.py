"""The tasks that there are: each folder beside this file with an ``entry.py`` brings its own."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from node_cli.config.spelling import no_such
from node_cli.errors import ConfigError
from node_cli.tasks.entry import MemberGroup, TaskEntry

if TYPE_CHECKING:
    from node_cli.tasks.base import Task

_FAMILIES = Path(__file__).parent


@lru_cache(maxsize=1)
def entries() -> dict[str, TaskEntry]:
    """All tasks, by their names in order; torch is not imported."""
    families = sorted(m.name for m in pkgutil.iter_modules([str(_FAMILIES)]) if m.ispkg)
    modules = [importlib.import_module(f"node_cli.tasks.{family}.entry") for family in families]
    found = {entry.name: entry for module in modules for entry in module.TASKS}
    return dict(sorted(found.items()))


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


def find_task(name: str) -> type[Task]:
    """The class of a task, which brings torch.

    Raises:
        ConfigError: there is no such task.
    """
    task: type[Task] = pkgutil.resolve_name(find_entry(name).task)
    return task


def tasks_with(group: MemberGroup, member: str) -> list[str]:
    """The tasks that take a member of a group."""
    return [name for name, entry in entries().items() if member in entry.members(group)]
