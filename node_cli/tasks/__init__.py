"""The tasks, one file each."""

from __future__ import annotations

import importlib

from node_cli.config.task import task_names
from node_cli.errors import ConfigError
from node_cli.tasks.base import Task


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
