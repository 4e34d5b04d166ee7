"""A plugin, as the commands use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from node_cli.run_folder.recorded_plugins import RecordedPlugin
from node_cli.schema.run import RunConfig
from node_cli.tasks.entry import MEMBER_GROUPS, MemberGroup, MemberSchema, TaskEntry, names_of
from node_cli.tasks.own_settings import OwnField


@dataclass(frozen=True)
class Plugin:
    """What a file or a package brings.

    Attributes:
        name: of the file, or of the package with its version.
        digest: SHA-256 of its code.
        path: of the file; None for a package, which needs no flag.
        tasks: of its own.
        fields: models for tasks that are there, with a vector field of the user's own.
    """

    name: str
    digest: str
    path: Path | None
    tasks: tuple[TaskEntry, ...]
    fields: tuple[type[OwnField], ...]

    def schemas(self) -> Iterator[tuple[MemberGroup, MemberSchema]]:
        """The schemas of its members, each with its group."""
        return schemas_of(self.tasks, self.fields)

    @property
    def record(self) -> RecordedPlugin:
        """What a run records of it."""
        path = None if self.path is None else str(self.path)
        return RecordedPlugin(self.name, self.digest, path)

    def has_part_in(self, config: RunConfig) -> bool:
        """Whether a run is made with its code."""
        tasks = [task.name for task in self.tasks]
        models = [name for schema in self.fields for name in names_of(schema)]
        return config.task.name in tasks or config.model.name in models


def schemas_of(
    tasks: Iterable[TaskEntry], fields: Iterable[type[OwnField]]
) -> Iterator[tuple[MemberGroup, MemberSchema]]:
    """The schemas of tasks and of fields, each with its group."""
    for task in tasks:
        for group in MEMBER_GROUPS:
            yield from ((group, schema) for schema in task.schemas(group))
    yield from (("model", schema) for schema in fields)
