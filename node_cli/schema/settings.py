"""Settings by dotted name, such as ``tolerance.rtol``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Setting = bool | int | float | str

# What says where and how a run is shown, and not what it computes.
_SHOWN_ONLY = (
    "debug.",
    "objectives",
    "task.models",
    "task.data",
    "trainer.resume",
    "trainer.progress",
    "trainer.figures",
    "trainer.keep_predictions",
)


def deciding_settings(config: Mapping[str, Any]) -> dict[str, Setting]:
    """The settings that decide the numbers of a run, by dotted name.

    Args:
        config: plain values, as ``RunConfig.model_dump(mode="json")`` or YAML has them.
    """
    return {
        name: value if isinstance(value, Setting) else str(value)
        for name, value in flattened(config)
        if not name.startswith(_SHOWN_ONLY)
    }


def flattened(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All values of nested groups, each with its dotted name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
