"""The command line that made a run, from what its folder records."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from node_cli.run_folder.recorded_file import recorded_yaml
from node_cli.run_folder.recorded_plugins import own_files_with, recorded_plugins
from node_cli.run_folder.recording import overrides_file


def recorded_command(folder: Path) -> str | None:
    """The command line that gives a run again, from what Hydra recorded in its folder.

    Returns:
        None where nothing was recorded.

    Raises:
        OSError: the record cannot be read.
        ValueError: it is damaged.
    """
    try:
        overrides = recorded_overrides(folder)
    except FileNotFoundError:
        return None
    own = own_files_with(recorded_plugins(folder))
    return command_of([*own.flags, *overrides])


def command_of(words: Sequence[str]) -> str:
    """The command line of these words, for a shell."""
    return shlex.join(["node-train", *words])


def is_command_of(command: str, overrides: Sequence[str]) -> bool:
    """Whether a recorded command line has these overrides; its own files may have moved."""
    try:
        words = shlex.split(command)[1:]
    except ValueError:
        return False
    while words[:1] == ["--plugin"]:
        words = words[2:]
    return words == list(overrides)


def recorded_overrides(folder: Path) -> list[str]:
    """The overrides of a run.

    Raises:
        OSError: the record cannot be read.
        ValueError: it is damaged.
    """
    words = recorded_yaml(overrides_file(folder))
    if words is None:
        return []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("overrides.yaml is not a list of settings")
    return words
