"""Memory against the number of evaluations."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from node_cli.memory import peak_of
from node_cli.models.ode_solve import solved_as
from node_cli.schema.study import MemoryScalingConfig
from node_cli.studies.gradient_cost import gradient_cost
from node_cli.studies.subject import Findings, Row, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def memory_scaling(subject: Subject, config: MemoryScalingConfig) -> Findings:
    """Bytes kept for the backward pass, and the peak of a whole gradient, by mode and steps."""
    subject.model.train()
    subject.loss().backward()  # what torch allocates once and for all is not to be measured
    rows: list[Row] = []
    for mode in config.modes:
        for steps in config.steps:
            with solved_as(subject.model, partial(replace, adjoint=mode, num_steps=steps)):
                rows.append({"mode": mode, "steps": steps, **_measured(subject)})
            subject.tell(rows[-1])
    subject.model.zero_grad()
    return Findings(rows, {"memory_scaling": _drawn(rows, subject.task.data_label)})


def _measured(subject: Subject) -> Row:
    cost = gradient_cost(subject)
    subject.model.zero_grad()
    with peak_of(subject.device) as peak:
        subject.loss().backward()
    return {**cost, "peak_bytes": peak.bytes}


def _drawn(rows: list[Row], data: str) -> Figure:
    from node_cli.figures.panels import Panel, panels

    drawn = [Panel("nfe_forward", "saved_bytes", "NFE-F", "kept for backward", "linear", "linear")]
    if all(row["peak_bytes"] is not None for row in rows):
        drawn.append(
            Panel("nfe_forward", "peak_bytes", "NFE-F", "peak of a gradient", "linear", "linear")
        )
    return panels(rows, by="mode", drawn=drawn, title=f"{data}: memory by adjoint mode")
