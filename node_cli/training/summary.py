"""``summary.json``: the end of a run in one file."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from node_cli import __version__
from node_cli.memory import peak_device_bytes, peak_resident_bytes
from node_cli.run_folder.recorded_command import recorded_command
from node_cli.run_folder.recorded_file import recorded_summary
from node_cli.run_folder.writing import write_text
from node_cli.schema.run import RunConfig
from node_cli.schema.settings import deciding_settings
from node_cli.tasks.base import Task
from node_cli.training.precision import about_precision
from node_cli.training.progress import RunProgress
from node_cli.training.round_trip import warnings

Status = Literal["finished", "failed", "interrupted"]


def parameter_count(model: nn.Module) -> int:
    """Trainable parameters of a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@dataclass
class Outcome:
    """What a run came to, as far as it came.

    Attributes:
        task: of the run.
        model: that it trained.
        device: where.
        progress: how far it came.
        final: the last metrics by tag, those of the test set among them; empty before the test.
    """

    task: Task[Any]
    model: nn.Module
    device: torch.device
    progress: RunProgress
    final: Mapping[str, float] = field(default_factory=dict)


def write_summary(
    folder: Path, config: RunConfig, status: Status, outcome: Outcome, cause: str | None = None
) -> dict[str, Any]:
    """Write ``summary.json`` in the run folder and return its content.

    Args:
        folder: the run folder.
        config: the whole run.
        status: how the run ended.
        outcome: what it came to.
        cause: why, where it did not finish.

    Raises:
        OSError: the file cannot be written.
    """
    progress, best, device = outcome.progress, outcome.task.best, outcome.device
    means = progress.run_sums.means()
    summary = {
        "status": status,
        "cause": cause,
        "task": config.task.name,
        "data": outcome.task.data_label,
        "model": config.model.name,
        "parameters": parameter_count(outcome.model),
        "seed": config.seed,
        "steps": progress.step,
        "epochs": len(progress.history),
        "final": dict(outcome.final),
        "warnings": [*about_precision(config), *warnings(config, outcome.final)],
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
            **{
                f"{name}_mean": means[f"nfe/{name}"]
                for name in ("drift", "diffusion", "drift_backward", "diffusion_backward")
                if f"nfe/{name}" in means
            },
        },
        "memory": {
            "saved_bytes_peak": progress.saved_bytes_peak or None,
            "device_peak_bytes": peak_device_bytes(device),
            "rss_peak_bytes": peak_resident_bytes(),
        },
        "seconds": round(progress.seconds, 3),
        "step_seconds_mean": means.get("time/step_seconds"),
        "device": _device_name(device),
        "threads": torch.get_num_threads(),
        "versions": {
            "node_cli": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchdiffeq": version("torchdiffeq"),
            **({} if config.model.stochastic is None else {"torchsde": version("torchsde")}),
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
        **recorded_summary(folder),
        "status": "failed",
        "cause": cause,
    }
    _write(folder, summary)


def _write(folder: Path, summary: Mapping[str, Any]) -> None:
    write_text(folder / "summary.json", json.dumps(summary, indent=2) + "\n")


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
