"""``summary.json``: the end of a run in one file."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from node_cli import __version__
from node_cli.config.resumption import recorded_command
from node_cli.config.run import RunConfig
from node_cli.config.settings import deciding_settings
from node_cli.memory import peak_device_bytes, peak_resident_bytes
from node_cli.recorded_file import recorded_text
from node_cli.tasks.base import BestMetric
from node_cli.training.progress import RunProgress
from node_cli.writing import write_text

Status = Literal["finished", "failed", "interrupted"]


def parameter_count(model: nn.Module) -> int:
    """Trainable parameters of a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def write_summary(
    folder: Path,
    config: RunConfig,
    status: Status,
    *,
    best: BestMetric,
    cause: str | None = None,
    data: str | None = None,
    model: nn.Module | None = None,
    device: torch.device | None = None,
    progress: RunProgress | None = None,
    final: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Write ``summary.json`` in the run folder and return its content.

    Args:
        folder: the run folder.
        config: the whole run.
        status: how the run ended.
        best: the metric by which the best weights are chosen.
        cause: why, where it did not finish.
        data: the label of the data.
        model: the model, once it is built.
        device: where it trained.
        progress: how far it came.
        final: the last metrics by tag, those of the test set among them.

    Raises:
        OSError: the file cannot be written.
    """
    progress = progress or RunProgress()
    means = progress.run_sums.means()
    summary = {
        "status": status,
        "cause": cause,
        "task": config.task.name,
        "data": data,
        "model": config.model.name,
        "parameters": None if model is None else parameter_count(model),
        "seed": config.seed,
        "steps": progress.step,
        "epochs": len(progress.history),
        "final": dict(final or {}),
        "best": {
            "metric": best.name,
            "goal": best.goal,
            "unit": best.unit,
            "value": progress.best,
            "epoch": progress.best_epoch,
        },
        "nfe": {
            "forward_mean": means.get("nfe/forward"),
            "backward_mean": means.get("nfe/backward"),
        },
        "memory": {
            "saved_bytes_peak": progress.saved_bytes_peak or None,
            "device_peak_bytes": None if device is None else peak_device_bytes(device),
            "rss_peak_bytes": peak_resident_bytes(),
        },
        "seconds": round(progress.seconds, 3),
        "step_seconds_mean": means.get("time/step_seconds"),
        "device": None if device is None else _device_name(device),
        "threads": torch.get_num_threads(),
        "versions": {
            "node_cli": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchdiffeq": version("torchdiffeq"),
        },
        "command": recorded_command(folder),
        "settings": deciding_settings(config.model_dump(mode="json")),
    }
    _write(folder, summary)
    return summary


def write_refusal(folder: Path, config: Mapping[str, Any], cause: str) -> None:
    """Write the ``summary.json`` of a run that could not begin, such as an impossible cell.

    Of one that could not go on it keeps what the run came to before.

    Args:
        folder: the run folder.
        config: plain values, which need not make a ``RunConfig``.
        cause: why it could not begin.

    Raises:
        OSError: the file cannot be written.
    """
    summary = {
        "seed": config.get("seed"),
        "seconds": 0.0,
        "command": recorded_command(folder),
        "settings": deciding_settings(config),
        **read_summary(folder),
        "status": "failed",
        "cause": cause,
    }
    _write(folder, summary)


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary that is there; empty where none can be read."""
    try:
        summary = json.loads(recorded_text(folder / "summary.json"))
    except (OSError, ValueError, RecursionError):
        return {}
    return summary if isinstance(summary, dict) else {}


def _write(folder: Path, summary: Mapping[str, Any]) -> None:
    write_text(folder / "summary.json", json.dumps(summary, indent=2) + "\n")


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
