"""Figure 3 of Chen et al. 2018: what a tolerance buys and what it costs."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from node_cli.memory import synchronize
from node_cli.models.ode_solve import solved_as, solving_modules
from node_cli.schema.study import Figure3Config
from node_cli.solving import SolveSpec, record_solves, total
from node_cli.studies.gradient_check import relative_error
from node_cli.studies.subject import Findings, Row, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_3(subject: Subject, config: Figure3Config) -> Findings:
    """Numerical error, time and NFE-B against NFE-F on a training batch; NFE-F by epoch.

    The error is the relative difference of the ODE's final state from that at the reference
    tolerance.
    """
    subject.model.eval()
    with solved_as(subject.model, lambda spec: spec.at_tolerance(config.reference)):
        truth = _output(subject)
    rows: list[Row] = []
    for tolerance in config.tolerances:
        with solved_as(subject.model, partial(SolveSpec.at_tolerance, tolerance=tolerance)):
            output = _output(subject)
            rows.append(
                {
                    "tolerance": tolerance,
                    "error": relative_error(output, truth),
                    **_measured(subject, config.repeats),
                }
            )
        subject.tell(rows[-1])
    subject.model.zero_grad()
    return Findings(rows, {"figure_3": _drawn(rows, subject)})


def _output(subject: Subject) -> Tensor:
    """The final states of the model's ODEs on the batch, as one vector."""
    found: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Any) -> None:
        values = output if isinstance(output, Tensor) else output[0]
        found.append(values[-1].reshape(-1))

    hooks = [m.register_forward_hook(keep) for m in solving_modules(subject.model)]
    try:
        with torch.no_grad():
            subject.loss()
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(found)


def _measured(subject: Subject, repeats: int) -> Row:
    forward, both = [], []
    for _ in range(repeats):
        subject.model.zero_grad()
        with record_solves() as solves:
            synchronize(subject.device)
            started = time.perf_counter()
            loss = subject.loss()
            synchronize(subject.device)
            forward.append(time.perf_counter() - started)
            loss.backward()
            synchronize(subject.device)
            both.append(time.perf_counter() - started)
    cost = total(solves)
    return {
        "nfe_forward": cost.nfe_forward,
        "nfe_backward": cost.nfe_backward,
        "seconds_forward": statistics.median(forward),
        "seconds": statistics.median(both),
    }


def _drawn(rows: list[Row], subject: Subject) -> Figure:
    from node_cli.figures.panels import Panel, panels

    epochs: list[Row] = [
        {"epoch": number, "nfe_forward": epoch["nfe/forward"]}
        for number, epoch in enumerate(subject.history, start=1)
        if "nfe/forward" in epoch
    ]
    return panels(
        [*rows, *epochs],
        by=None,
        drawn=[
            Panel("nfe_forward", "error", "NFE-F", "numerical error", "linear", "log"),
            Panel("nfe_forward", "seconds_forward", "NFE-F", "seconds forward", "linear", "linear"),
            Panel("nfe_forward", "nfe_backward", "NFE-F", "NFE-B", "linear", "linear", equal=True),
            Panel("epoch", "nfe_forward", "epoch", "NFE-F in training", "linear", "linear"),
        ],
        title=f"{subject.task.data_label}: figure 3 of Chen et al. 2018, from this run",
    )
