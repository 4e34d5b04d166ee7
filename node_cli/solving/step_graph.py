r"""A Runge-Kutta step as one function of tensors, and its gradient as another.

Both are made to be compiled, and run as they are too. What changes from step to step are tensors:
the clock ``[rtol, atol, h, t_0, t_1, ..., t_S]`` has the tolerances, the length of the step and the
times of its stages, so that one graph serves all steps and all tolerances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from node_cli.methods.tableau import Tableau
from node_cli.solving.host_numbers import tensor_of
from node_cli.solving.pure_field import Features, PlainField, PureField, row_of
from node_cli.solving.state import Norm

HEAD = 3  # entries of the clock before the times


@dataclass(frozen=True)
class StepSystem:
    """What is the same in all steps of a solve.

    Attributes:
        field: the vector field.
        tableau: the method.
        norm: of the scaled error; None: it is not asked for, as steps are given.
        parameters: of the field, that get gradients.
    """

    field: PureField
    tableau: Tableau
    norm: Norm | None
    parameters: tuple[Tensor, ...] = ()


def stage_times(tableau: Tableau, t0: float, t1: float) -> list[float]:
    """The times of all stages of a step, the first among them."""
    h = t1 - t0
    return [t0, *(t1 if node == 1.0 else t0 + node * h for node in tableau.nodes)]


def clock_of(
    tolerances: tuple[float, float], h: float, times: Sequence[float], like: Tensor
) -> Tensor:
    """The clock of a step of length ``h`` with these times."""
    return tensor_of([*tolerances, h, *times], like)


def clocks_of(
    tolerances: tuple[float, float],
    tableau: Tableau,
    ends: Sequence[tuple[float, float]],
    like: Tensor,
) -> Tensor:
    """The clocks of one step or more, of which each starts and ends at such times, ``[S, C]``."""
    rows = [[*tolerances, t1 - t0, *stage_times(tableau, t0, t1)] for t0, t1 in ends]
    return tensor_of(rows, like)


def start_forward(system: StepSystem, clock: Tensor, y0: Tensor) -> tuple[Tensor, Tensor]:
    """The field at the start of a solve, and ``[3]``: its norm, the state's, whether all is finite.

    Args:
        system: of the solve, with a norm.
        clock: with one time, that of the start.
        y0: the state there.
    """
    assert system.norm is not None
    f0 = system.field.at(clock[HEAD:], y0)
    scale = allowed(clock, y0.abs())
    finite = (torch.isfinite(y0).all() & torch.isfinite(f0).all()).to(y0.dtype)
    return f0, torch.stack([system.norm(y0 / scale), system.norm(f0 / scale), finite])


def change_forward(system: StepSystem, clock: Tensor, y0: Tensor, f0: Tensor) -> tuple[Tensor, ...]:
    """The norm of what an Euler step of the length in the clock changes in the field.

    Args:
        system: of the solve, with a norm.
        clock: with one time, that of the end of the step.
        y0: the state at the start.
        f0: the field there.
    """
    assert system.norm is not None
    there = system.field.at(clock[HEAD:], y0 + clock[2] * f0)
    return (system.norm((there - f0) / allowed(clock, y0.abs())),)


def start_backward(
    system: StepSystem, clock: Tensor, y0: Tensor, of_f0: Tensor, *sums: Tensor
) -> tuple[Tensor, ...]:
    """The gradient of the state at the start by the field there, ``sums`` with the parameters'.

    Args:
        system: of the solve.
        clock: with one time, that of the start.
        y0: the state there.
        of_f0: the gradient of the field.
        sums: the gradients of the parameters so far.
    """

    def slope(start: Tensor) -> Tensor:
        return system.field.at(clock[HEAD:], start)

    return pulled_back(slope, y0, of_f0, system.parameters, sums)


def pulled_back(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    gradient: Tensor,
    parameters: Sequence[Tensor],
    sums: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    """The gradient of ``x`` by that of ``function(x)``, ``sums`` with the parameters'."""
    with torch.enable_grad():
        start = x.detach().requires_grad_()
        changes = gradients_of([function(start)], [gradient], (start, *parameters))
    return (filled(changes[0], x), *map(added, sums, changes[1:]))


def step_forward(
    system: StepSystem, clock: Tensor, y0: Tensor, f0: Tensor | None
) -> tuple[Tensor, ...]:
    """``y1``, and what there is of the following, in this order.

    The field at ``t1`` where the last stage is that, the middle of dense output, the error ratio.

    Args:
        system: of the solve.
        clock: of the step.
        y0: the state at its start.
        f0: the field there; None: it is evaluated.
    """
    y1, stages, _ = stages_of(system, clock, y0, f0)
    found = [y1, *_rest(system, stages)]
    if system.norm is not None:
        assert system.tableau.error is not None
        error = clock[2] * sum_of(system.tableau.error, stages)
        found.append(error_ratio(system.norm, clock, y0, y1, error))
    return tuple(found)


def step_backward(
    system: StepSystem,
    clock: Tensor,
    y0: Tensor,
    f0: Tensor | None,
    of_y1: Tensor,
    of_f1: Tensor | None,
    of_middle: Tensor | None,
    of_f0: Tensor | None,
    *sums: Tensor,
) -> tuple[Tensor, ...]:
    """The gradients of ``y0``, of ``f0`` where it is given, and ``sums`` with the parameters'.

    The step is computed again from its start.

    Args:
        system: of the solve.
        clock: of the step.
        y0: the state at its start.
        f0: the field there; None: it was evaluated in the step.
        of_y1: the gradient of ``y1``.
        of_f1: of the field at the end; None: it is zero. Where no stage is that, it is evaluated.
        of_middle: of the middle; None: it is zero.
        of_f0: of the field at the start, where that is not given; None: it is zero.
        sums: the gradients of the parameters so far.
    """
    with torch.enable_grad():
        start = y0.detach().requires_grad_()
        slope = None if f0 is None else f0.detach().requires_grad_()
        y1, stages, _ = stages_of(system, clock, start, slope, last=of_f1 is not None)
        found, gradients = [y1], [of_y1]
        if of_f1 is not None:
            found.append(end_of(system, clock, y1, stages))
            gradients.append(of_f1)
        if of_middle is not None:
            assert system.tableau.middle is not None
            found.append(sum_of(system.tableau.middle, stages))
            gradients.append(of_middle)
        if of_f0 is not None:
            found.append(stages[0])
            gradients.append(of_f0)
        inputs = (start, *(() if slope is None else (slope,)), *system.parameters)
        changes = gradients_of(found, gradients, inputs)
    first = len(inputs) - len(system.parameters)
    of_inputs = [
        filled(change, like) for change, like in zip(changes[:first], inputs[:first], strict=True)
    ]
    return (*of_inputs, *map(added, sums, changes[first:]))


def gradients_of(
    found: Sequence[Tensor],
    gradients: Sequence[Tensor],
    inputs: Sequence[Tensor],
    again: bool = False,
) -> Sequence[Tensor | None]:
    """Those of the inputs; None: nothing depends on one. ``again``: there is more to come."""
    kept = [pair for pair in zip(found, gradients, strict=True) if pair[0].requires_grad]
    if not kept:
        return [None] * len(inputs)
    outputs, along = zip(*kept, strict=True)
    return torch.autograd.grad(outputs, inputs, along, retain_graph=again, allow_unused=True)


def plain(system: StepSystem) -> PlainField:
    """The vector field itself."""
    assert isinstance(system.field, PlainField)
    return system.field


def end_of(system: StepSystem, clock: Tensor, y1: Tensor, stages: list[Tensor]) -> Tensor:
    """The field at the end of a step."""
    if system.tableau.first_same_as_last:
        return stages[-1]
    field = plain(system)
    return field.given(row_of(field.of_times(clock[HEAD : HEAD + 1] + clock[2]), 0), y1)


def filled(change: Tensor | None, like: Tensor) -> Tensor:
    """A gradient that is not None."""
    return torch.zeros_like(like) if change is None else change.contiguous()


def added(total: Tensor, change: Tensor | None) -> Tensor:
    """The sum of gradients."""
    return total if change is None else total + change


def stages_of(
    system: StepSystem, clock: Tensor, y0: Tensor, f0: Tensor | None, last: bool = True
) -> tuple[Tensor, list[Tensor], Features]:
    """The end of the step, the field at its stages and what depends on the times of the clock.

    Args:
        system: of the solve.
        clock: of the step.
        y0: the state at its start.
        f0: the field there; None: it is evaluated.
        last: the field at the end is wanted too.
    """
    tableau, field, h = system.tableau, plain(system), clock[2]
    times = clock[HEAD:]
    of_times = field.of_times(times)
    stages = [field.given(row_of(of_times, 0), y0) if f0 is None else f0]
    ends_alike = tableau.first_same_as_last
    inner = len(tableau.nodes) - (1 if ends_alike else 0)
    for number, row in enumerate(tableau.stages[:inner], start=1):
        stages.append(field.given(row_of(of_times, number), moved(y0, h, row, stages)))
    y1 = moved(y0, h, tableau.weights[: len(stages)], stages)
    if ends_alike and last:
        stages.append(field.given(row_of(of_times, len(tableau.nodes)), y1))
    return y1, stages, of_times


def _rest(system: StepSystem, stages: list[Tensor]) -> list[Tensor]:
    tableau = system.tableau
    found = [stages[-1]] if tableau.first_same_as_last else []
    if tableau.middle is not None:
        found.append(sum_of(tableau.middle, stages))
    return found


def error_ratio(norm: Norm, clock: Tensor, y0: Tensor, y1: Tensor, error: Tensor) -> Tensor:
    """As of ``StepControl``, with the tolerances of the clock."""
    return norm(error / allowed(clock, torch.maximum(y0.abs(), y1.abs())))


def allowed(clock: Tensor, size: Tensor) -> Tensor:
    """The error allowed for a size of the state, as of ``StepControl``."""
    return (size * clock[0] + clock[1]).clamp(min=torch.finfo(size.dtype).tiny)


def moved(y0: Tensor, h: Tensor, row: Sequence[float], stages: Sequence[Tensor]) -> Tensor:
    """``y0 + h sum_j row[j] * stages[j]``."""
    y = y0
    for factor, stage in zip(row, stages, strict=True):
        if factor:
            y = y + (h * factor) * stage
    return y


def sum_of(factors: Sequence[float], stages: Sequence[Tensor]) -> Tensor:
    """``sum_j factors[j] * stages[j]``."""
    used = [(factor, stage) for factor, stage in zip(factors, stages, strict=True) if factor]
    total = used[0][1] * used[0][0]
    for factor, stage in used[1:]:
        total = total + factor * stage
    return total
