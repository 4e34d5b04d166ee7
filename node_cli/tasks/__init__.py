"""The tasks, one file each."""

from __future__ import annotations

import importlib
import pkgutil

from node_cli.errors import ConfigError
from node_cli.tasks.base import Task


def task_names() -> list[str]:
    """The tasks that there are, by their names on the command line."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in modules if name != "base")


def find_task(name: str) -> type[Task]:
    """The class of a task.

    Only the files of this package can be meant: a name from a YAML file is looked up in their
    list, never imported as it is.

    Raises:
        ConfigError: there is no such task.
    """
    for known in task_names():
        if known == name:
            module = importlib.import_module(f"{__name__}.{known.replace('-', '_')}")
            task: type[Task] = module.TASK
            return task
    raise ConfigError(f"task.name={name}: there is no such task. Known: {', '.join(task_names())}.")
