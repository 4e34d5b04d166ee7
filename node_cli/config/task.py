"""The group ``task``."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, field_validator

from node_cli.config.location import conf_dir
from node_cli.config.schema import AsTuple, Schema, Text
from node_cli.config.spelling import did_you_mean

_TASKS = Path(__file__).parents[1] / "tasks"

Names = Annotated[tuple[Text, ...], AsTuple, Field(min_length=1), "a list of names"]


class TaskConfig(Schema):
    """The task: a file of ``node_cli/tasks``, looked up without importing it.

    Attributes:
        name: of the file, with ``-`` for ``_``.
        models: members of the group ``model`` that it trains.
        data: members of the group ``data`` that it trains on.
    """

    name: str
    models: Names
    data: Names

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        known = task_names()
        if name not in known:
            raise ValueError(
                f"task.name={name}: there is no such task{did_you_mean(name, known)}"
                f" Known: {', '.join(known)}."
            )
        return name


def task_names() -> list[str]:
    """The tasks that there are, by their names on the command line."""
    files = (module.name for module in pkgutil.iter_modules([str(_TASKS)]))
    return sorted(file.replace("_", "-") for file in files if not file.startswith("base"))


def members_of(task: str, group: Literal["model", "data"]) -> tuple[str, ...]:
    """The members of a group that go with a task, as its file in the config tree has them."""
    path = conf_dir() / "task" / f"{task}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(content["task"]["models" if group == "model" else "data"])


def tasks_with(group: Literal["model", "data"], member: str) -> list[str]:
    """The tasks of the config tree that take a member of a group."""
    return [task for task in task_names() if member in members_of(task, group)]
