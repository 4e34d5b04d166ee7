"""How exact each adjoint mode's gradients are, and what they cost."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from node_cli.memory import synchronize
from node_cli.models.ode_solve import solved_as
from node_cli.schema.adjoint import AdjointMode
from node_cli.schema.study import GradientFidelityConfig
from node_cli.solving import SolveSpec
from node_cli.studies.gradient_check import flat_gradient, reference_gradient, relative_error
from node_cli.studies.gradient_cost import gradient_cost
from node_cli.studies.subject import Findings, Row, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gradient_fidelity(subject: Subject, config: GradientFidelityConfig) -> Findings:
    """The relative error of the gradient, NFE, bytes kept and time, for modes and tolerances."""
    subject.model.train()
    exact = reference_gradient(subject.task, subject.model, subject.batch)
    rows: list[Row] = []
    for mode in config.modes:
        for tolerance in config.tolerances:
            with solved_as(subject.model, partial(_spec, mode=mode, tolerance=tolerance)):
                row = _measured(subject, config.repeats)
            error = relative_error(flat_gradient(subject.model), exact)
            rows.append({"mode": mode, "tolerance": tolerance, "error": error, **row})
            subject.tell(rows[-1])
    subject.model.zero_grad()
    return Findings(rows, {"gradient_fidelity": _drawn(rows, subject.task.data_label)})


def _spec(spec: SolveSpec, mode: AdjointMode, tolerance: float) -> SolveSpec:
    return replace(spec.at_tolerance(tolerance), adjoint=mode)


def _measured(subject: Subject, repeats: int) -> Row:
    """NFE, bytes and the median time of one gradient; it stays in the parameters."""
    seconds = []
    for _ in range(repeats):
        subject.model.zero_grad()
        synchronize(subject.device)
        started = time.perf_counter()
        subject.loss().backward()
        synchronize(subject.device)
        seconds.append(time.perf_counter() - started)
    return {**gradient_cost(subject), "seconds": statistics.median(seconds)}


def _drawn(rows: list[Row], data: str) -> Figure:
    from node_cli.figures.panels import Panel, panels

    return panels(
        rows,
        by="mode",
        drawn=[
            Panel("tolerance", "error", "tolerance", "relative error", "log", "log"),
            Panel("tolerance", "nfe_backward", "tolerance", "NFE-B", "log", "linear"),
            Panel("nfe_forward", "saved_bytes", "NFE-F", "bytes kept", "linear", "linear"),
            Panel("seconds", "error", "seconds a gradient", "relative error", "log", "log"),
        ],
        title=f"{data}: gradients against float64 at tolerance 1e-10",
    )
