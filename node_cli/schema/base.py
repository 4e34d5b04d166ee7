"""The base of all config models, and the kinds of values that they share.

Each value carries, beside its range, the words in which the range is told to the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Schema(BaseModel):
    """A group of settings: exact types, no unknown names, no change after validation."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


# Above it no array fits a memory and no run ends; far above, torch and NumPy have no such integer.
MOST = 1_000_000_000
Count = Annotated[int, Field(ge=1, le=MOST), f"an integer >= 1 and <= {MOST}"]
Whole = Annotated[int, Field(ge=0, le=MOST), f"an integer >= 0 and <= {MOST}"]
Seed = Annotated[int, Field(ge=0, lt=2**63), "an integer from 0 to 9223372036854775807"]
Positive = Annotated[float, Field(gt=0), "a finite number > 0"]
NonNegative = Annotated[float, Field(ge=0), "a finite number >= 0"]
FromZeroBelowOne = Annotated[float, Field(ge=0, lt=1), "a number from 0 to below 1"]
FromZeroToOne = Annotated[float, Field(ge=0, le=1), "a number from 0 to 1"]
AboveZeroToOne = Annotated[float, Field(gt=0, le=1), "a number above 0 and up to 1"]
BetweenZeroAndOne = Annotated[float, Field(gt=0, lt=1), "a number between 0 and 1"]
Text = Annotated[str, Field(min_length=1), "a text that is not empty"]

_PLAIN: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a finite number",
    str: "a text",
    NoneType: "null",
}

# YAML knows lists only; a frozen model holds a tuple.
AsTuple = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


def allowed(annotation: Any) -> str:
    """What a type allows, in the words for the user: ``an integer >= 1 or null``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        words = [extra for extra in arguments[1:] if isinstance(extra, str)]
        return words[0] if words else allowed(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(allowed(argument) for argument in arguments)
    if origin is Literal:
        return listed(arguments)
    if origin in (list, tuple):
        kinds = dict.fromkeys(allowed(kind) for kind in arguments if kind is not Ellipsis)
        return f"a list, each of it {' or '.join(kinds)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a group of settings"
    return _PLAIN.get(annotation, f"a {getattr(annotation, '__name__', annotation)}")


def listed_as_yaml(value: Any) -> str:
    """A number or nested tuples of numbers as one would write them on the command line."""
    if isinstance(value, tuple | list):
        return f"[{','.join(map(listed_as_yaml, value))}]"
    return str(value)


def listed(names: Sequence[Any]) -> str:
    """``a``, or ``one of a, b``."""
    joined = ", ".join(map(str, names))
    return joined if len(names) == 1 else f"one of {joined}"
