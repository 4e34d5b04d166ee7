"""What a checkpoint holds, checked before anything is made of it."""

from __future__ import annotations

import reprlib
from typing import Annotated, Any

import torch
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
)
from torch import Tensor

from node_cli.plain_text import shortened
from node_cli.training.log_position import LogPosition
from node_cli.training.means import Number
from node_cli.training.progress import RunProgress
from node_cli.training.seeds import check_random_states

_SHOWN = 60  # characters of foreign content in a message


def check_content(content: object) -> None:
    """Check names, types and plain plausibility of what was read from a checkpoint.

    Raises:
        ValueError: says what is wrong, where, in one line.
    """
    try:
        _Content.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = brief(".".join(map(str, first["loc"])))
        what = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{where}: {what[:1].lower()}{what[1:]}") from error


def brief(value: object) -> str:
    """A value from a file, short enough for a message."""
    return shortened(value if isinstance(value, str) else reprlib.repr(value), _SHOWN)


def _weight(value: object) -> object:
    """A tensor, or what else a module may keep, such as a flow the names of its columns."""
    if isinstance(value, dict):
        return value
    return _plain(value)


def _moment(value: object) -> object:
    """A tensor or a number of an optimizer's state."""
    if value is None or isinstance(value, int | float):
        return value
    return _plain(value)


def _plain(tensor: object) -> Tensor:
    """A tensor whose elements all lie in memory.

    Raises:
        ValueError: it is another kind, such as an expanded one of absurd shape.
    """
    if not isinstance(tensor, Tensor):
        raise ValueError("not a tensor")
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise ValueError("not a plain tensor")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor larger than what is stored of it")
    return tensor


def _whole(state: object) -> object:
    """The state of a ``RunProgress``; one of an older version may lack what came later."""
    if not isinstance(state, dict):
        raise ValueError("it is no dictionary")
    missing = {"step", "epoch", "batch", "seconds", "history", "run_sums"} - state.keys()
    if missing:
        raise ValueError(f"there is no {min(missing)}")
    return state


def _plausible(progress: RunProgress) -> RunProgress:
    if progress.validated_step is not None and not progress.history:
        raise ValueError("it was validated and has no history")
    return progress


class _Part(BaseModel):
    """A part of a checkpoint; what is not named here may stand beside."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True)


class _Group(_Part):
    params: list[int]


class _Optimizer(_Part):
    state: dict[int, dict[str, Annotated[Any, AfterValidator(_moment)]]]
    param_groups: Annotated[list[_Group], Field(min_length=1)]


class _Content(_Part):
    node_cli: str
    config: dict[str, JsonValue]
    model: Annotated[dict[str, Annotated[Any, AfterValidator(_weight)]], Field(min_length=1)]
    optimizer: _Optimizer
    scaler: dict[str, Number]
    random: Annotated[dict[str, Any], AfterValidator(check_random_states)]
    progress: Annotated[RunProgress, BeforeValidator(_whole), AfterValidator(_plausible)]
    data_digest: str | None = None
    log: LogPosition | None = None
