"""The lines of a run, for a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from node_cli.schema.run import RunConfig
from node_cli.tasks.base import BestMetric
from node_cli.training.epoch_table import number
from node_cli.training.progress import RunProgress
from node_cli.training.summary import parameter_count


def opening_parts(
    config: RunConfig, data: str, model: nn.Module, device: torch.device
) -> list[str]:
    """What is about to be trained, on what, and how it is solved."""
    parts = [config.task.name, f"data {data}", f"model {config.model.name}"]
    parts.append(f"{parameter_count(model):,} parameters")
    if config.model.solves:
        solver, tolerance = config.solver, config.tolerance
        parts.append(f"solver {solver.name}")
        if solver.kind == "fixed":
            step = (
                f"step {solver.step_size:g}"
                if solver.num_steps is None
                else f"{solver.num_steps} step{'s' if solver.num_steps > 1 else ''}"
            )
            parts.append(step)
        else:
            parts.append(f"rtol {tolerance.rtol:g} atol {tolerance.atol:g}")
        parts.append(f"adjoint {config.adjoint.mode}")
    return [*parts, f"seed {config.seed}", str(device)]


def step_scalars(values: Mapping[str, float]) -> list[str]:
    """What a reader follows of a training step, first what matters most."""
    return [*_metrics(values, "train", ("loss", "accuracy")), *_evaluations(values)]


def epoch_line(
    progress: RunProgress,
    last_epoch: int | None,
    means: Mapping[str, float],
    validation: Mapping[str, float],
    better: bool,
) -> str:
    """All that an epoch came to, for the log.

    Args:
        progress: of the run, at the end of the epoch.
        last_epoch: where the run ends at the latest, if that is known.
        means: of the training steps, by tag.
        validation: metrics of the validation set, by tag.
        better: whether the validation is the best so far.
    """
    tested = [tag.partition("/")[0] for tag in validation if tag.endswith("/val")]
    parts = [
        f"epoch {progress.epoch + 1}" + (f"/{last_epoch}" if last_epoch else ""),
        "train " + ", ".join(_metrics(means, "train", ("loss", "accuracy"))),
        "val " + ", ".join(_metrics(validation, "val", tested)),
        ", ".join(_evaluations(means)),
        f"{progress.seconds:.0f} s",
        "best so far" if better else "",
    ]
    return " · ".join(filter(None, parts))


def closing_parts(summary: Mapping[str, Any], best: BestMetric) -> list[list[str]]:
    """The result, the other metrics and the cost, each in parts that are not broken."""
    final, nfe, memory = summary["final"], summary["nfe"], summary["memory"]
    tested = final[f"{best.name}/test"]
    unit = f" {best.unit}" if best.unit else ""
    result = [
        f"{summary['data']} test {best} {_score(tested)}{unit}",
        f"(weights of epoch {summary['best']['epoch']},"
        f" validation {_score(summary['best']['value'])})",
    ]
    shown = (f"{best.name}/test", "loss/test")
    others = [
        f"{tag} {value:.4g}"
        for tag, value in final.items()
        if (tag.partition("/")[2].startswith("test") and tag not in shown)
        or tag == "solver/round_trip_error_test"
    ]
    steps = "1 step" if summary["steps"] == 1 else f"{summary['steps']} steps"
    cost = [f"{steps} in {_duration(summary['seconds'])}"]
    if nfe["forward_mean"] is not None:
        cost.append(f"NFE-F {nfe['forward_mean']:.1f}  NFE-B {nfe['backward_mean']:.1f} a step")
    if memory["saved_bytes_peak"] is not None:
        cost.append(f"kept for backward {memory['saved_bytes_peak'] / 1e6:.1f} MB")
    if memory["device_peak_bytes"] is not None:
        cost.append(f"device peak {memory['device_peak_bytes'] / 1e6:.0f} MB")
    cost.append(f"resident peak {memory['rss_peak_bytes'] / 1e6:.0f} MB")
    return [result, *([others] if others else []), cost]


def _score(value: float) -> str:
    """Four decimals, or three digits of what is so small that they would hide it."""
    return f"{value:.3g}" if 0 < abs(value) < 0.01 else f"{value:.4f}"


def packed(parts: Iterable[str], between: str, width: int) -> list[str]:
    """Parts in as few lines of ``width`` characters as they fit in; none is broken."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(between) + len(part) <= width:
            lines[-1] += between + part
        else:
            lines.append(part)
    return lines


def where_lines(folder: Path) -> list[str]:
    """Where a run lies and how to look at it."""
    return [f"run folder   {folder}", f"look at it   tensorboard --logdir {folder}"]


def _metrics(values: Mapping[str, float], split: str, names: Iterable[str]) -> list[str]:
    return [
        f"{name} {f'{value:.2%}' if name == 'accuracy' else number(value).strip()}"
        for name in names
        if (value := values.get(f"{name}/{split}")) is not None
    ]


def _evaluations(values: Mapping[str, float]) -> list[str]:
    tags = {"NFE-F": "nfe/forward", "NFE-B": "nfe/backward"}
    return [f"{name} {values[tag]:.1f}" for name, tag in tags.items() if tag in values]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
