"""From plain values to the config of a run, by the schemas that its task brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Union

from pydantic import Field, TypeAdapter, ValidationError, create_model

from node_cli.errors import ConfigError, DisagreementError
from node_cli.schema.explanation import explain, show
from node_cli.schema.model import ModelSchema
from node_cli.schema.run import RunConfig
from node_cli.schema.settings import flattened
from node_cli.schema.stochastic_agreement import of_a_solver_of_odes
from node_cli.tasks.entry import MemberGroup, TaskEntry, names_of
from node_cli.tasks.own_settings import OwnField
from node_cli.tasks.registry import entries, find_entry, tasks_with

_SETTINGS: Mapping[MemberGroup, str] = {"model": "models", "data": "data"}


def validate(config: Mapping[str, Any]) -> RunConfig:
    """The config as a ``RunConfig``.

    Args:
        config: plain values, as YAML has them.

    Raises:
        ConfigError: one sentence for each thing that is wrong.
        DisagreementError: the same, where only groups do not go together.
    """
    plain = dict(config)
    entry = _entry_of(plain)
    misfits = [sentence for group in _SETTINGS for sentence in _misfits(entry, group, plain)]
    misfits = misfits or _solver_misfits(entry, plain)
    if misfits:  # what follows would only be confusing
        raise DisagreementError("\n".join(misfits))
    refused = _refused(entry, dict(flattened(plain)))
    if refused:
        raise ConfigError("\n".join(refused))
    schema = run_schema(entry)
    try:
        return schema.model_validate(plain)
    except ValidationError as error:
        # The groups are held against each other once each of them is right.
        disagree = all(not problem["loc"] for problem in error.errors())
        kind = DisagreementError if disagree else ConfigError
        raise kind("\n".join(explain(schema, error))) from error


@cache
def run_schema(entry: TaskEntry) -> type[RunConfig]:
    """The schema of the runs of a task."""
    schema: type[RunConfig] = create_model(
        "RunConfig",
        __base__=RunConfig,
        model=(_one_of(entry.models), ...),
        data=(_one_of(entry.data), ...),
        ode_model=(ClassVar[str | None], entry.ode_model),
    )
    return schema


@cache
def _models_of(entry: TaskEntry) -> TypeAdapter[ModelSchema]:
    return TypeAdapter(_one_of(entry.models))


def _one_of(schemas: Sequence[type]) -> Any:
    if len(schemas) == 1:
        return schemas[0]
    return Annotated[Union[tuple(schemas)], Field(discriminator="name")]  # noqa: UP007


def _entry_of(plain: Mapping[str, Any]) -> TaskEntry:
    name = _name_of(plain.get("task"))
    # Without a name the schema of any task says what is missing.
    return next(iter(entries().values())) if name is None else find_entry(name)


def _misfits(entry: TaskEntry, group: MemberGroup, plain: Mapping[str, Any]) -> list[str]:
    """What the task does not take of a group; a YAML file may let it take less than it could."""
    task, listed = plain.get("task"), entry.members(group)
    given = task.get(_SETTINGS[group]) if isinstance(task, Mapping) else None
    taken = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    name = _name_of(plain.get(group))
    others = [] if name is None else tasks_with(group, name)
    unknown = [member for member in taken if member not in listed]
    if unknown and name in listed:
        return [
            f"task.{_SETTINGS[group]}={show(given)}: task={entry.name} takes no"
            f" {group}={unknown[0]}. Known: {', '.join(listed)}."
        ]
    own = [
        member
        for schema in entry.schemas(group)
        if issubclass(schema, OwnField)
        for member in names_of(schema)
    ]
    usable = [*taken, *own] if taken and not unknown else listed
    if name is None or not others or name in usable:
        return []
    elsewhere = " and ".join(f"task={other}" for other in others)
    reason = entry.refused.get(f"{group}={name}", f"{group}={name} is for {elsewhere}")
    return [
        f"task={entry.name} {group}={name}: they do not go together; {reason}. With"
        f" task={entry.name} use {group}={', '.join(usable)}."
    ]


def _solver_misfits(entry: TaskEntry, plain: Mapping[str, Any]) -> list[str]:
    """A solver of ODEs for an SDE, to which steps that came with the model would not matter."""
    solver = _name_of(plain.get("solver"))
    try:
        model = _models_of(entry).validate_python(plain.get("model"))
    except ValidationError:  # which is told with all else
        return []
    return [] if solver is None else list(of_a_solver_of_odes(solver, model))


def _refused(entry: TaskEntry, given: Mapping[str, Any]) -> list[str]:
    """What the task refuses of settings by dotted name, with its own reasons."""
    return [
        f"task={entry.name} {name}={show(given[name])}: {reason}."
        for name, reason in entry.refused.items()
        if name in given
    ]


def _name_of(group: Any) -> str | None:
    name = group.get("name") if isinstance(group, Mapping) else None
    return name if isinstance(name, str) else None
