"""The first and the last lines of a run, for a reader."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from node_cli.config.model import solves_an_ode
from node_cli.config.run import RunConfig
from node_cli.tasks.base import BestMetric
from node_cli.training.summary import parameter_count


def opening_line(config: RunConfig, data: str, model: nn.Module, device: torch.device) -> str:
    """What is about to be trained, on what, and how it is solved."""
    parts = [config.task.name, f"data {data}", f"model {config.model.name}"]
    parts.append(f"{parameter_count(model):,} parameters")
    if solves_an_ode(config.model):
        solver, tolerance = config.solver, config.tolerance
        parts.append(f"solver {solver.name}")
        if solver.kind == "fixed":
            step = (
                f"step {solver.step_size:g}"
                if solver.num_steps is None
                else f"{solver.num_steps} steps"
            )
            parts.append(step)
        else:
            parts.append(f"rtol {tolerance.rtol:g} atol {tolerance.atol:g}")
        parts.append(f"adjoint {config.adjoint.mode}")
    parts += [f"seed {config.seed}", str(device)]
    return " · ".join(parts)


def closing_lines(summary: Mapping[str, Any], best: BestMetric, folder: Path) -> list[str]:
    """The result, its cost, where it lies and how to look at it."""
    final, nfe, memory = summary["final"], summary["nfe"], summary["memory"]
    tested = final[f"{best.name}/test"]
    unit = f" {best.unit}" if best.unit else ""
    result = (
        f"{summary['data']} test {best} {tested:.4f}{unit}  (weights of epoch"
        f" {summary['best']['epoch']}, validation {summary['best']['value']:.4f})"
    )
    shown = (f"{best.name}/test", "loss/test")
    others = [
        f"{tag} {value:.4g}"
        for tag, value in final.items()
        if tag.partition("/")[2].startswith("test") and tag not in shown
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
    return [
        result,
        *(["  ".join(others)] if others else []),
        "  ".join(cost),
        f"run folder   {folder}",
        f"look at it   tensorboard --logdir {folder}",
    ]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
