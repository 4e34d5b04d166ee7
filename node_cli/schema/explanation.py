"""What is wrong with a config, told in the user's words."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from node_cli.schema.base import allowed
from node_cli.schema.spelling import did_you_mean, no_such


def explain(model: type[BaseModel], error: ValidationError) -> list[str]:
    """One sentence for each problem: what was given, what is allowed, the nearest spelling."""
    sentences = (_sentence(model, problem) for problem in error.errors(include_url=False))
    return list(dict.fromkeys(sentences))


def show(value: Any) -> str:
    """A value as one would write it on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(show, value))}]"
    if isinstance(value, dict):
        return "{...}"
    return str(value) if value != "" else "''"


def _sentence(model: type[BaseModel], problem: ErrorDetails) -> str:
    kind, given = problem["type"], problem["input"]
    path, annotation = _find(model, problem["loc"])
    if kind == "value_error":  # from a validator, whose message is the sentence
        said = str(problem["ctx"]["error"])
        if path in said:
            return said
        return f"{path}={show(given)}: {' '.join(said.split()) or 'this is refused'}"
    if kind == "extra_forbidden":
        group = path.rpartition(".")[0]
        known = sorted(f"{group}.{field}".lstrip(".") for field in annotation.model_fields)
        return (
            f"{path}={show(given)}: there is no such setting{did_you_mean(path, known)}"
            f" Known: {', '.join(known)}."
        )
    if kind == "missing":
        return f"{path} is missing: it must be {allowed(annotation)}."
    if kind == "union_tag_not_found":
        return f"{path}.name is missing: it says which {path} is meant."
    if kind == "union_tag_invalid":
        tags = [tag.strip("' ") for tag in problem["ctx"]["expected_tags"].split(",")]
        tag = str(problem["ctx"]["tag"])
        return no_such(path, f"{path}.name", show(tag), tags)
    choices = allowed(annotation)
    hint = "."
    if kind == "literal_error":
        hint = did_you_mean(str(given), choices.removeprefix("one of ").split(", "))
    return f"{path}={show(given)}: must be {choices}{hint}"


def _find(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, Any]:
    """The dotted name of a location, and the type there; an unknown name has its group's type.

    Pydantic's locations also hold the name by which a member of a union was chosen; the user does
    not write that, so it is left out of the dotted name.
    """
    path = ""
    here: Any = model
    for part in location:
        if isinstance(part, int):
            path = f"{path}[{part}]"
            here = _plain(here)
            here = get_args(here)[0]
        elif isinstance(_plain(here), type):
            path = f"{path}.{part}".lstrip(".")
            group = _plain(here)
            here = get_type_hints(group, include_extras=True).get(part, group)
        else:
            members = get_args(_plain(here))
            if not all(isinstance(m, type) and issubclass(m, BaseModel) for m in members):
                break  # a choice of plain values, whose own words say what is allowed
            here = next(m for m in members if part in get_args(get_type_hints(m)["name"]))
    return path, here


def _plain(annotation: Any) -> Any:
    """A type without what is annotated to it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
