"""How far the log of a run was when a checkpoint was written, and how it is brought back there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from node_cli.run_folder.writing import open_to_shorten, write_text
from node_cli.training.event_file import event_files, shorten_events

Size = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


@dataclass(frozen=True)
class LogPosition:
    """What the log holds at a moment.

    Attributes:
        lines: bytes of ``metrics.jsonl``.
        events: bytes of each event file, by its name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    lines: Size = 0
    events: dict[str, Size] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {"lines": self.lines, "events": dict(self.events)}

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any]) -> LogPosition | None:
        """That of a checkpoint; None where an older version wrote it.

        Raises:
            ValueError: it is no such position.
        """
        state = checkpoint.get("log")
        return None if state is None else _ADAPTER.validate_python(state)


_ADAPTER = TypeAdapter(LogPosition)


def bring_back(folder: Path, metrics: Path, position: LogPosition) -> None:
    """Shorten the log to what it held; nothing of it is there twice when the steps come again.

    What was lost since, as by a loss of power, stays lost. Names of files come from the checkpoint,
    which may be foreign, and are only compared with those of the folder.

    Args:
        folder: the run folder.
        metrics: ``metrics.jsonl`` in it.
        position: of the checkpoint that the run goes on from.

    Raises:
        OSError: a file cannot be shortened.
        WritingError: a link is in the place of ``metrics.jsonl``.
    """
    with suppress(FileNotFoundError), open_to_shorten(metrics) as file:
        content = file.read(min(position.lines, os.fstat(file.fileno()).st_size))
        file.truncate(content.rfind(b"\n") + 1)
    for path in event_files(folder):
        if path.name in position.events:
            shorten_events(path, position.events[path.name])
        elif path.stat().st_size == 0:
            path.unlink()
        else:
            # A TensorBoard that is open would wait for ever for a file that vanished.
            shorten_events(path, 0)


def drop_lines_after(metrics: Path, step: int) -> None:
    """Shorten ``metrics.jsonl`` to the lines up to a step, for a checkpoint without a position.

    Raises:
        OSError: it cannot be read or written.
        WritingError: a link is in its place.
    """
    try:
        with open_to_shorten(metrics) as file:
            lines = file.read().decode("utf-8", errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return
    write_text(metrics, "".join(line for line in lines if _is_up_to(line, step)))


def _is_up_to(line: str, step: int) -> bool:
    try:
        logged = json.loads(line)["step"]
        return bool(logged <= step)
    except (ValueError, LookupError, TypeError, RecursionError):
        return False  # a run that was killed may have left half a line
