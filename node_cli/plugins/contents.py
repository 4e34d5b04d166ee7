"""What a module brings as a plugin, checked."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from node_cli.errors import ConfigError
from node_cli.plugins.plugin import Plugin, schemas_of
from node_cli.schema.base import Schema
from node_cli.schema.data import DataSchema
from node_cli.schema.explanation import explain
from node_cli.schema.model import ModelSchema
from node_cli.source_place import line_of_setting, place, place_of, place_of_failure
from node_cli.tasks.entry import MemberSchema, TaskEntry, is_name, names_of
from node_cli.tasks.own_settings import OwnField

_METHODS = {
    "build_model": (),
    "loaders": ("device",),
    "loss": ("model", "batch"),
    "evaluate": ("model", "batches"),
    "figures": ("model", "data", "history"),
}


def plugin_of(module: ModuleType, name: str, digest: str, path: Path | None) -> Plugin:
    """The plugin that a module is.

    It brings the classes that are written in it: tasks, and models that have a vector field for a
    task that is there. With a list ``TASKS`` of entries it brings those tasks, and torch need not
    be imported before one of them is trained.

    Args:
        module: of the user's own.
        name: of the file, or of the package with its version.
        digest: of its code.
        path: of the file; None for a package.

    Raises:
        ConfigError: it brings nothing, or something that cannot be used; says where.
    """
    listed = vars(module).get("TASKS")
    if listed is None:
        classes = list(_own_classes(module))
        tasks = [_entry_of(module, task) for task in _tasks_among(classes)]
        fields = [one for one in classes if issubclass(one, OwnField)]
        unchecked: Iterable[MemberSchema] = fields
    else:
        if not isinstance(listed, list | tuple) or not all(
            isinstance(entry, TaskEntry) for entry in listed
        ):
            raise ConfigError(f"{name}: TASKS must be a list of TaskEntry objects.")
        tasks, fields = list(listed), list(vars(module).get("FIELDS", ()))
        unchecked = (schema for _, schema in schemas_of(tasks, fields))
    if not tasks and not fields:
        raise ConfigError(
            f"{name}: it defines no task, and no vector field for a task that is there. See"
            " node-new for a file that does."
        )
    for schema in unchecked:
        _check_schema(schema)
    return Plugin(name, digest, path, tuple(tasks), tuple(fields))


def default_values(schema: type[Schema]) -> dict[str, Any]:
    """The defaults of all settings, as plain values."""
    settings = set(schema.model_fields)
    return schema.model_construct().model_dump(mode="json", include=settings, warnings=False)


def description_of(thing: type) -> str:
    """The first line of a class's own docstring."""
    text = inspect.cleandoc(thing.__dict__.get("__doc__") or "")
    return text.partition("\n")[0].rstrip(".")


def _own_classes(module: ModuleType) -> Iterator[type]:
    """The classes that are written in a module.

    One that others there build on counts if it has a name of its own.
    """
    own = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == module.__name__
    ]
    bases = {base for one in own for base in one.__mro__[1:]}
    return (one for one in dict.fromkeys(own) if one not in bases or _has_own_name(one))


def _has_own_name(thing: type) -> bool:
    return "name" in thing.__dict__ or "name" in inspect.get_annotations(thing)


def _tasks_among(classes: Sequence[type]) -> list[type]:
    if "node_cli.tasks.base" not in sys.modules:  # nobody has asked for Task, which brings torch
        return []
    from node_cli.tasks.base import Task

    return [one for one in classes if issubclass(one, Task)]


def _entry_of(module: ModuleType, task: Any) -> TaskEntry:
    from node_cli.tasks.base import BestMetric

    where = f"{place_of(task) or module.__name__}: {task.__name__}"
    missing = sorted(getattr(task, "__abstractmethods__", ()))
    if missing:
        raise ConfigError(f"{where} has no {missing[0]}, which a task needs.")
    name = getattr(task, "name", None)
    if not is_name(name):
        raise ConfigError(
            f"{where} needs a name, of letters, digits, - and _, as in name = 'pendulum'"
            f"{'' if name is None else f'; given is {name!r}'}."
        )
    for group, base in (("models", ModelSchema), ("data", DataSchema)):
        given = getattr(task, group, None)
        if not isinstance(given, tuple) or not given or not all(_is(one, base) for one in given):
            kind = "ModelSettings" if group == "models" else "DataSettings"
            raise ConfigError(
                f"{where} needs {group}, a tuple of classes of {kind}, as in {group} = (My{kind},)."
            )
    for schema in (*task.models, *task.data):
        _check_schema(schema)
    if not isinstance(task.best, BestMetric) or task.best.goal not in ("min", "max"):
        raise ConfigError(f"{where}.best must be a BestMetric, as in BestMetric('rmse', 'min').")
    settings = getattr(task, "defaults", {})
    if not isinstance(settings, Mapping) or not all(isinstance(key, str) for key in settings):
        raise ConfigError(f"{where}.defaults must be a dict, as in {{'trainer.max_epochs': 20}}.")
    for key, value in settings.items():
        if not _is_plain(value):
            raise ConfigError(
                f"{where}.defaults: {key}={value!r}: must be a text, a number, a truth value,"
                " None or a list of them. Settings of a group are given one by one, as in"
                " 'trainer.max_epochs': 20."
            )
    _check_methods(task, where)
    solving = [schema for schema in task.models if schema.model_construct().solves_an_ode]
    return TaskEntry(
        name,
        f"{module.__name__}:{task.__qualname__}",
        models=task.models,
        data=task.data,
        ode_model=names_of(solving[0])[0] if solving else None,
        description=description_of(task),
        defaults=settings,
    )


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _check_methods(task: type, where: str) -> None:
    """The methods of a task can be called as the training calls them."""
    for name, arguments in _METHODS.items():
        method = getattr(task, name)
        try:
            inspect.signature(method).bind(None, *arguments)
        except TypeError as error:
            raise ConfigError(
                f"{place_of(method) or where}: {task.__name__}.{name} must take"
                f" ({', '.join(['self', *arguments])})."
            ) from error


def _is(thing: object, base: type) -> bool:
    return isinstance(thing, type) and issubclass(thing, base)


def _check_schema(schema: MemberSchema) -> None:
    """Every setting has a default that it allows, and the class says its names.

    Raises:
        ConfigError: says where it does not.
    """
    path = inspect.getsourcefile(schema)
    assert path is not None

    def where(setting: str) -> str:
        line = line_of_setting(Path(path), schema.__name__, setting)
        return f"{place(path, line)}: {schema.__name__}"

    missing = sorted(getattr(schema, "__abstractmethods__", ()))
    if missing:
        raise ConfigError(f"{where('name')} has no {missing[0]}, which gives its vector field.")
    names = names_of(schema)
    if not names or not all(map(is_name, names)):
        raise ConfigError(
            f"{where('name')} needs a name, of letters, digits, - and _, as in"
            " name: Literal['my-net'] = 'my-net'."
        )
    for setting, field in schema.model_fields.items():
        if field.is_required() and not (setting == "name" and len(names) == 1):
            raise ConfigError(
                f"{where(setting)}.{setting} has no default; give one, as in"
                f" {setting}: ... = VALUE."
            )
    try:
        schema.model_validate({"name": names[0], **default_values(schema)})
    except ValidationError as error:
        wrong = [problem for problem in error.errors() if problem["loc"]]
        # A setting that the user has to give, such as a path, has a default that is refused.
        if wrong:
            setting = str(wrong[0]["loc"][0])
            told = explain(schema, error)[0]
            raise ConfigError(f"{where(setting)}: the default is not allowed: {told}") from error
    except Exception as error:  # of pydantic, or of a validator of the user's
        said = next(iter(str(error).splitlines()), "").rstrip(".")
        raise ConfigError(
            f"{place_of_failure(error) or where('name')}: {schema.__name__} cannot be used as"
            f" settings ({type(error).__name__}: {said})."
        ) from error
