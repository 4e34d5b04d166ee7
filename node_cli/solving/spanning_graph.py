"""A backward step of the adjoint over several output times as one function of tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from node_cli.methods.tableau import Tableau
from node_cli.solving.adjoint_graph import joined
from node_cli.solving.pure_field import Features, row_of
from node_cli.solving.runge_kutta import defect_at, dense_rows
from node_cli.solving.step_graph import (
    StepSystem,
    added,
    end_of,
    error_ratio,
    filled,
    gradients_of,
    plain,
    stage_times,
    stages_of,
    sum_of,
)


@dataclass(frozen=True)
class SpanningSystem:
    """What is the same in all such steps of a backward pass.

    Attributes:
        step: of the vector field; its norm is of the packed augmented state.
        seminorm: the errors of the gradients do not count.
    """

    step: StepSystem
    seminorm: bool


def spanning_times(tableau: Tableau, t0: float, t1: float) -> list[float]:
    """The times at which such a step needs the field: of its stages, and that of the defect."""
    x, _ = defect_at(tableau)
    return [*stage_times(tableau, t0, t1), t0 + x * (t1 - t0)]


def spanning_step(
    system: SpanningSystem,
    clock: Tensor,
    ends: Tensor,
    adjoint: Tensor,
    seeds: Tensor,
    of_terms: Tensor,
    *sums: Tensor,
) -> tuple[Tensor, ...]:
    """The error ratio, the adjoint at the start, and ``sums`` with the parameters' gradients.

    Args:
        system: of the backward pass.
        clock: of the step, with the times of ``spanning_times``.
        ends: the states of the forward solve at the start and at the end, ``[2, *y0.shape]``.
        adjoint: at the end, by which its error is measured.
        seeds: the gradients of the state at the end, and the sum of those inside, likewise.
        of_terms: the gradients of the terms of dense output that those inside are worth, the
            field in the middle as one of them: ``[3 or 4, *y0.shape]``.
        sums: the gradients of the parameters so far.
    """
    step, tableau, h = system.step, system.step.tableau, clock[2]
    assert step.norm is not None
    assert tableau.error is not None
    (y_start, y_end), (end, inside), terms = ends.unbind(), seeds.unbind(), of_terms.unbind()
    with torch.enable_grad():
        start = y_start.detach().requires_grad_()
        y1, stages, of_times = stages_of(step, clock, start, None)
        f1 = end_of(step, clock, y1, stages)
        middle = None if tableau.middle is None else sum_of(tableau.middle, stages)
        results = [y1, stages[0], f1, *(() if middle is None else (middle,))]
        inputs = (start, *step.parameters)
        changes = gradients_of(results, [end + terms[0], *terms[1:]], inputs, again=True)
        estimate = h * sum_of(tableau.error, stages)
        defect = _defect(system, (clock, start, y1, stages[0], f1, middle), of_times)
        # Of all inputs: by fewer of them, torch would look for what the parameters came from.
        unsure = gradients_of([estimate, defect], [end + inside, inside], inputs)
    of_start = filled(changes[0], start) + (inside - terms[0])
    found = [added(*pair) for pair in zip(sums, changes[1:], strict=True)]
    if system.seminorm:
        unsure = [unsure[0], *[None] * len(step.parameters)]
    errors = [filled(*pair) for pair in zip(unsure, inputs, strict=True)]
    ratio = error_ratio(
        step.norm,
        clock,
        joined((y_end, adjoint, *sums)),
        joined((y_start, of_start, *found)),
        joined((estimate.detach().abs() + defect.detach().abs(), *errors)),
    )
    return (ratio, of_start, *found)


def _defect(
    system: SpanningSystem,
    step: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None],
    of_times: Features,
) -> Tensor:
    """As of ``RungeKuttaStep.defect``, where the last time of the clock is that of the defect."""
    clock, y0, y1, f0, f1, middle = step
    tableau, h = system.step.tableau, clock[2]
    x, share = defect_at(tableau)
    rise = y1 - y0
    slope = (6 * x * (1 - x) / h) * rise + (1 - x) * (1 - 3 * x) * f0 + x * (3 * x - 2) * f1
    (row,) = dense_rows(0.0, 1.0, [x], () if middle is None else (1.0,))
    y = y0 + row[0] * rise + (h * row[1]) * f0 + (h * row[2]) * f1
    if middle is not None:
        y = y + (h * row[3]) * middle
    number = len(tableau.nodes) + 1
    return (plain(system.step).given(row_of(of_times, number), y) - slope) * (share * h)
