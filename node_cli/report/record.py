"""What a run folder tells: its settings, its results and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node_cli.plain_text import one_line, shortened
from node_cli.report.recorded_values import (
    COSTS_RECORDED,
    PLAIN_RECORDED,
    checked_goal,
    checked_mapping,
    checked_measures,
    checked_metric,
    checked_settings,
    checked_status,
    checked_text,
    number,
)
from node_cli.run_folder.recorded_command import recorded_command
from node_cli.run_folder.recorded_file import open_recorded, recorded_text, recorded_yaml
from node_cli.schema.settings import Setting

# The end of a metrics.jsonl, in bytes, that surely holds a whole line.
_TAIL = 65536

_LONGEST_CAUSE = 300  # characters of why a run is unreadable


@dataclass(frozen=True)
class Record:
    """A run, as far as its folder tells of it.

    Attributes:
        folder: the run folder.
        status: ``finished``, ``failed``, ``interrupted``, ``unfinished`` (running, or killed), or
            ``unreadable``.
        cause: why, where it did not finish.
        command: the command line that makes it again.
        settings: what decided its numbers, by dotted name.
        values: ``error``, costs, and metrics by tag.
        metric: the name of the metric by which the best weights were chosen.
        goal: ``max`` or ``min``.
    """

    folder: Path
    status: str
    cause: str = ""
    command: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    metric: str = "loss"
    goal: str = "min"


def error_of(value: float, goal: str) -> float:
    """A metric as something to be made small: of an accuracy, the share that is wrong."""
    return 1.0 - value if goal == "max" else value


def metrics_of(records: Iterable[Record]) -> set[tuple[str, str]]:
    """The metrics that the errors of some runs are, each with its goal."""
    return {(record.metric, record.goal) for record in records if "error" in record.values}


def is_run_folder(path: Path) -> bool:
    """Whether a folder is that of a run, which may not have come to its end."""
    return (path / ".hydra").is_dir() or os.path.lexists(path / "summary.json")


def run_folders(path: Path) -> Iterator[Path]:
    """The run folders in ``path``, itself among them, in the order of their names.

    A folder that cannot be looked into counts as one, since it may hold runs.
    """
    waiting, seen = [path], set()
    while waiting:
        folder = waiting.pop()
        try:
            resolved = folder.resolve()
            if resolved in seen:  # links can go round in a circle
                continue
            seen.add(resolved)
            if is_run_folder(folder):
                yield folder
                continue
            inner = [entry for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."]
        except (OSError, RuntimeError):  # a RuntimeError is a link to itself
            yield folder
            continue
        waiting += sorted(inner, key=_numbers_first, reverse=True)


def read_record(folder: Path) -> Record:
    """The run in ``folder``; one that cannot be read says so in its status."""
    try:
        if os.path.lexists(folder / "summary.json"):
            return _from_summary(folder)
        return _from_what_is_there(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        cause = f"{type(error).__name__}: {error}"
    except (RecursionError, OverflowError, MemoryError) as error:
        cause = f"{type(error).__name__}: no run records such values"
    return Record(folder, "unreadable", cause=shortened(one_line(cause), _LONGEST_CAUSE))


def _numbers_first(path: Path) -> tuple[int, str]:
    """Cells of a sweep in the order of their numbers: 2 before 10."""
    number = path.name.partition("_")[0]
    return (int(number) if number.isdecimal() else 0), path.name


def _from_summary(folder: Path) -> Record:
    text = recorded_text(folder / "summary.json")
    summary = checked_mapping("summary.json", json.loads(text))
    values = {name: summary[name] for name in PLAIN_RECORDED if summary.get(name) is not None}
    for name, (group, key) in COSTS_RECORDED.items():
        value = checked_mapping(group, summary.get(group, {})).get(key)
        if value is not None:
            values[name] = value
    values = {name: number(name, value) for name, value in values.items()}
    values |= checked_measures(summary.get("final", {}))
    best = checked_mapping("best", summary.get("best", {}))
    metric = checked_metric(best.get("metric", "loss"))
    goal = checked_goal(best.get("goal", "min"))
    settings = summary.get("settings")
    return Record(
        folder,
        checked_status(summary["status"]),
        checked_text("cause", summary.get("cause") or ""),
        checked_text("command", summary.get("command") or ""),
        checked_settings(settings) if settings else _settings(folder),
        _with_derived(values, metric, goal),
        metric,
        goal,
    )


def _from_what_is_there(folder: Path) -> Record:
    """A run without a summary: it is still going on, or it was killed."""
    (folder / ".hydra").stat()
    values: dict[str, Any] = {}
    lines = folder / "metrics.jsonl"
    if os.path.lexists(lines):
        with open_recorded(lines) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            for line in file.read(_TAIL).decode(errors="replace").splitlines():
                # The first line of the tail is a part of one, and the last may be half written.
                with suppress(ValueError, RecursionError):
                    logged = json.loads(line)
                    values |= logged if isinstance(logged, dict) else {}
    known = {
        "steps": number("step", values.pop("step", 0)),
        "epochs": number("epoch", values.pop("epoch", 0)),
    }
    return Record(
        folder,
        "unfinished",
        "it left no summary: it is still going on, or it was killed",
        checked_text("command", recorded_command(folder) or ""),
        _settings(folder),
        {**checked_measures(values), **known},
    )


def _settings(folder: Path) -> dict[str, Setting]:
    path = folder / ".hydra" / "config.yaml"
    return checked_settings(recorded_yaml(path)) if os.path.lexists(path) else {}


def _with_derived(values: dict[str, Any], metric: str, goal: str) -> dict[str, float]:
    if f"{metric}/test" in values:
        values = {"error": error_of(values[f"{metric}/test"], goal), **values}
    if "nfe_forward" in values:
        values["nfe"] = values["nfe_forward"] + values.get("nfe_backward", 0.0)
    if "step_seconds_mean" in values:
        values["step_seconds"] = values.pop("step_seconds_mean")
    return values
