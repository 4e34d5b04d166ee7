r"""A step of the continuous adjoint as one function of tensors.

State :math:`y` and adjoint :math:`a` go through the stages. The gradients :math:`g` of the
parameters follow from them, and are summed up once for the whole step.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from node_cli.methods.tableau import Row
from node_cli.solving.bound_graphs import named
from node_cli.solving.pure_field import Features, PlainField, row_of
from node_cli.solving.step_graph import HEAD, StepSystem, error_ratio, gradients_of, moved


@dataclass(frozen=True)
class PureAugmentedField:
    """State, adjoint and gradients as one state, see ``node_cli.solving.adjoint``.

    Attributes:
        field: of the state alone.
        parameters: that get gradients.
        shape: of the packed state.
        seminorm: the gradients are outside of the error norm.
    """

    field: PlainField
    parameters: tuple[Tensor, ...]
    shape: torch.Size
    seminorm: bool

    @property
    def setting(self) -> tuple[Hashable, ...]:
        """What its graphs depend on and those of the forward pass do not."""
        return (self.seminorm, self.field.layout.counting, *named(self.parameters))

    @property
    def carried(self) -> int:
        """Of the field at the end of a step, so many first numbers are kept for the next one."""
        return 2 * self.shape.numel()

    def at(self, t: Tensor, y: Tensor) -> Tensor:
        """The packed augmented field at the time ``[1]``."""
        state, adjoint, _ = self.split(y)
        with torch.enable_grad():
            of_times = self.field.of_times(t)
        stage = _stage(self, row_of(of_times, 0), state, adjoint)
        return joined(_sums(self, of_times, (1.0,), [stage]))

    def split(self, packed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Packed state and adjoint, and the gradients as one tensor."""
        size = self.shape.numel()
        state, adjoint, gradients = packed.split([size, size, packed.numel() - 2 * size])
        return state.view(self.shape), adjoint.view(self.shape), gradients


class _Stage(NamedTuple):
    """The field at a stage; ``None`` where nothing depends on something.

    Attributes:
        state: the derivative of the state.
        adjoint: that of the adjoint.
        of_time: the adjoint times what the field makes of each part that depends on time alone.
        parameters: likewise of the parameters themselves.
    """

    state: Tensor
    adjoint: Tensor
    of_time: Sequence[Tensor | None]
    parameters: Sequence[Tensor | None]


def adjoint_step(
    system: StepSystem, clock: Tensor, packed: Tensor, f0: Tensor | None
) -> tuple[Tensor, ...]:
    """The augmented state at the end, the field of its first two parts there, the error ratio.

    The last two are left out where the method has no last stage at the end, or no error.

    Args:
        system: of the solve; its field is a ``PureAugmentedField``.
        clock: of the step.
        packed: the augmented state at its start.
        f0: the field of the first two parts there; None: it is evaluated.
    """
    field, tableau = system.field, system.tableau
    assert isinstance(field, PureAugmentedField)
    h = clock[2]
    y0, a0, g0 = field.split(packed)
    with torch.enable_grad():
        of_times = field.field.of_times(clock[HEAD:])
    first = _stage(field, row_of(of_times, 0), y0, a0)
    if f0 is not None:
        state, adjoint, _ = field.split(f0)
        first = first._replace(state=state, adjoint=adjoint)
    stages = [first]
    rows = tableau.stages
    for number, row in enumerate(rows, start=1):
        y = moved(y0, h, row, [stage.state for stage in stages])
        a = moved(a0, h, row, [stage.adjoint for stage in stages])
        stages.append(_stage(field, row_of(of_times, number), y, a))
    ends_alike = tableau.first_same_as_last
    end = _sums(field, of_times, tableau.weights, stages)
    start = (y0, a0, g0)
    reached = [part + h * change for part, change in zip(start, end, strict=True)]
    found = [joined(reached)]
    if ends_alike:
        last = stages[-1]
        found.append(joined((last.state, last.adjoint)))
    if system.norm is not None:
        assert tableau.error is not None
        error = joined([h * part for part in _sums(field, of_times, tableau.error, stages)])
        ratio = error_ratio(system.norm, clock, joined(start), joined(reached), error)
        found.append(ratio)
    return tuple(found)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """The packed state of such parts, or its first two where there are no others."""
    return torch.cat([part.reshape(-1) for part in parts])


def _stage(field: PureAugmentedField, of_time: Features, y: Tensor, a: Tensor) -> _Stage:
    with torch.enable_grad():
        y = y.detach().requires_grad_()
        # Cut here, so that what comes before is gone through once for all stages.
        parts = [p.detach().requires_grad_() if p.requires_grad else p for p in of_time]
        cut = [part for part in parts if part.requires_grad]
        derivative = field.field.given(tuple(parts), y)
        inputs = (y, *cut, *field.parameters)
        changes = gradients_of([derivative], [a], inputs)
    of_y = torch.zeros_like(y) if changes[0] is None else -changes[0]
    return _Stage(derivative.detach(), of_y, changes[1 : 1 + len(cut)], changes[1 + len(cut) :])


def _sums(
    field: PureAugmentedField, of_times: Features, weights: Row, stages: Sequence[_Stage]
) -> tuple[Tensor, Tensor, Tensor]:
    """The weighted sums over the stages: of state, adjoint and gradients."""
    state = _weighted(weights, [stage.state for stage in stages])
    adjoint = _weighted(weights, [stage.adjoint for stage in stages])
    assert state is not None
    assert adjoint is not None
    of_parameters = [
        _weighted(weights, [stage.parameters[i] for stage in stages])
        for i in range(len(field.parameters))
    ]
    split = [part for part in of_times if part.requires_grad]
    if split:
        rows = [
            torch.stack(
                [_scaled(w, s.of_time[i], part) for w, s in zip(weights, stages, strict=True)]
            )
            for i, part in enumerate(split)
        ]
        through = torch.autograd.grad(
            split, field.parameters, rows, retain_graph=True, allow_unused=True
        )
        of_parameters = [
            b if a is None else a if b is None else a + b
            for a, b in zip(of_parameters, through, strict=True)
        ]
    filled = [
        (torch.zeros_like(like) if change is None else -change).reshape(-1)
        for change, like in zip(of_parameters, field.parameters, strict=True)
    ]
    return state, adjoint, torch.cat(filled) if filled else state.new_zeros(0)


def _weighted(weights: Row, terms: Sequence[Tensor | None]) -> Tensor | None:
    total: Tensor | None = None
    for weight, term in zip(weights, terms, strict=True):
        if weight and term is not None:
            total = weight * term if total is None else total + weight * term
    return total


def _scaled(weight: float, row: Tensor | None, part: Tensor) -> Tensor:
    if row is None or not weight:
        return torch.zeros_like(part[0])
    return weight * row
