"""What a run folder tells: its settings, its results and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from node_cli.config.resumption import recorded_command
from node_cli.config.settings import Setting, deciding_settings

# What a run costs, by the name of the column: where summary.json has it.
_COSTS = {
    "nfe_forward": ("nfe", "forward_mean"),
    "nfe_backward": ("nfe", "backward_mean"),
    "saved_bytes": ("memory", "saved_bytes_peak"),
    "device_peak_bytes": ("memory", "device_peak_bytes"),
    "rss_peak_bytes": ("memory", "rss_peak_bytes"),
}
_PLAIN = ("seconds", "step_seconds_mean", "epochs", "steps", "parameters")

# The end of a metrics.jsonl, in bytes, that surely holds a whole line.
_TAIL = 65536


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


def run_folders(path: Path) -> Iterator[Path]:
    """The run folders in ``path``, itself among them, in the order of their names."""
    yield from _run_folders(path, set())


def _run_folders(path: Path, seen: set[Path]) -> Iterator[Path]:
    resolved = path.resolve()
    if resolved in seen:  # links can go round in a circle
        return
    seen.add(resolved)
    if (path / ".hydra").is_dir() or (path / "summary.json").exists():
        yield path
        return
    inner = [entry for entry in path.iterdir() if entry.is_dir() and entry.name[0] != "."]
    for folder in sorted(inner, key=_numbers_first):
        yield from _run_folders(folder, seen)


def read_record(folder: Path) -> Record:
    """The run in ``folder``; one that cannot be read says so in its status."""
    try:
        if (folder / "summary.json").exists():
            return _from_summary(folder)
        return _from_what_is_there(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        return Record(folder, "unreadable", cause=f"{type(error).__name__}: {error}")


def _numbers_first(path: Path) -> tuple[int, str]:
    """Cells of a sweep in the order of their numbers: 2 before 10."""
    number = path.name.partition("_")[0]
    return (int(number) if number.isdecimal() else 0), path.name


def _from_summary(folder: Path) -> Record:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    values = {name: summary[name] for name in _PLAIN if summary.get(name) is not None}
    for name, (group, key) in _COSTS.items():
        value = summary.get(group, {}).get(key)
        if value is not None:
            values[name] = value
    values |= summary.get("final", {})
    values = {name: float(value) for name, value in values.items()}
    best = summary.get("best", {})
    metric, goal = str(best.get("metric", "loss")), str(best.get("goal", "min"))
    return Record(
        folder,
        _text(summary["status"]),
        _text(summary.get("cause") or ""),
        _text(summary.get("command") or ""),
        deciding_settings(summary.get("settings") or _settings(folder)),
        _with_derived(values, metric, goal),
        metric,
        goal,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _from_what_is_there(folder: Path) -> Record:
    """A run without a summary: it is still going on, or it was killed."""
    values: dict[str, Any] = {}
    lines = folder / "metrics.jsonl"
    if lines.exists():
        with lines.open("rb") as file:
            file.seek(max(0, lines.stat().st_size - _TAIL))
            for line in file.read().decode(errors="replace").splitlines():
                # The first line of the tail is a part of one, and the last may be half written.
                if line.startswith("{") and line.endswith("}"):
                    values |= json.loads(line)
    values["steps"] = values.pop("step", 0)
    values["epochs"] = values.pop("epoch", 0)
    return Record(
        folder,
        "unfinished",
        "it left no summary: it is still going on, or it was killed",
        recorded_command(folder) or "",
        _settings(folder),
        values,
    )


def _settings(folder: Path) -> dict[str, Setting]:
    path = folder / ".hydra" / "config.yaml"
    return deciding_settings(_yaml(path)) if path.exists() else {}


def _with_derived(values: dict[str, Any], metric: str, goal: str) -> dict[str, float]:
    if f"{metric}/test" in values:
        values = {"error": error_of(values[f"{metric}/test"], goal), **values}
    if "nfe_forward" in values:
        values["nfe"] = values["nfe_forward"] + values.get("nfe_backward", 0.0)
    if "step_seconds_mean" in values:
        values["step_seconds"] = values.pop("step_seconds_mean")
    return values


def _yaml(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)
