"""Files of a run folder, read without trust: another person may have made the folder."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

import yaml

_LARGEST_TEXT = 4 * 2**20  # bytes; what a run records takes some thousand
_DEEPEST = 50  # levels of a YAML file; what a run records has four


def open_recorded(path: Path) -> BinaryIO:
    """Open a file to be read; it must be a file, as a named pipe would be waited for.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is something else, such as a device.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError(f"{path.name} is no file")
    return os.fdopen(handle, "rb")


def recorded_text(path: Path) -> str:
    """The text of a file.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is no UTF-8, or too long for what a run records.
    """
    with open_recorded(path) as file:
        content = file.read(_LARGEST_TEXT + 1)
    if len(content) > _LARGEST_TEXT:
        raise ValueError(f"{path.name} is larger than {_LARGEST_TEXT // 2**20} MB")
    return content.decode("utf-8-sig")


def recorded_yaml(path: Path) -> Any:
    """The content of a YAML file, as plain values.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is no YAML, or its values are nested or repeated as no run records them.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = recorded_text(path)
    depth = 0
    try:
        # A few aliases can stand for billions of values.
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST or isinstance(event, yaml.AliasEvent):
                raise ValueError(f"{path.name} is nested too deeply or repeats values")
        return yaml.load(text, loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name} is no YAML: {' '.join(str(error).split())}") from error


def recorded_summary(folder: Path) -> dict[str, Any]:
    """The ``summary.json`` of a run; empty where none can be read."""
    try:
        summary = json.loads(recorded_text(folder / "summary.json"))
    except (OSError, ValueError, RecursionError):
        return {}
    return summary if isinstance(summary, dict) else {}
