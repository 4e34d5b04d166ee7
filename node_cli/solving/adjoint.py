"""Gradients by the continuous adjoint: memory that does not grow with the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from node_cli.solving.adjoint_graph import PureAugmentedField
from node_cli.solving.compiled_spanning_step import CompiledSpanningStep
from node_cli.solving.counted_field import CountedField
from node_cli.solving.failures import NotFiniteError, StepsError
from node_cli.solving.integration import Integrator
from node_cli.solving.spanning_step import Outputs, SpanningStep
from node_cli.solving.state import Layout, Norm, largest_rms


@dataclass(frozen=True)
class AdjointProblem:
    """What the two passes of an adjoint solve share.

    Attributes:
        field: the vector field.
        times: the output times.
        forward: solves the problem itself.
        backward_of: makes the solver of the augmented problem, given its error norm.
        seminorm: leave the parameters out of the error norm (Kidger et al. 2021).
    """

    field: CountedField
    times: Sequence[float]
    forward: Integrator
    backward_of: Callable[[Norm], Integrator]
    seminorm: bool


def solve_with_adjoint(problem: AdjointProblem, y0: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Values at the times, or up to an event; the adjoint gives the gradients of all arguments."""
    values: Tensor = _Adjoint.apply(problem, y0, *parameters)
    return values


class _Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, problem: AdjointProblem, y0: Tensor, *parameters: Tensor) -> Tensor:
        found = problem.forward(problem.field, y0, problem.times)
        values = torch.stack(found.values)
        ctx.problem, ctx.times, ctx.parameters = problem, found.times, parameters
        ctx.save_for_backward(values, *parameters)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        # Torch refuses parameters that were changed since. Those that it gives back are other
        # objects where hooks see what is saved, and nothing in a graph depends on them.
        values, parameters = ctx.saved_tensors[0], ctx.parameters
        ctx.problem.field.backward_begins()
        # As in any backward pass, what comes in not finite goes out so: a scaler of half precision
        # gradients then passes over the step.
        not_finite = (torch.full_like(x, torch.nan) for x in (values[0], *parameters))
        if not bool(torch.isfinite(gradients[0]).all()):
            return None, *not_finite
        try:
            found = _solve_backwards(ctx.problem, ctx.times, values, parameters, gradients[0])
        except (NotFiniteError, StepsError):
            if not ctx.problem.field.in_fp16:
                raise
            return None, *not_finite  # the scale of the gradients was too large for it
        return None, *found


def _solve_backwards(
    problem: AdjointProblem,
    times: Sequence[float],
    values: Tensor,
    parameters: Sequence[Tensor],
    gradient: Tensor,
) -> list[Tensor]:
    """The adjoint at the first of the values' times and the gradients of the parameters.

    At each output time the adjoint jumps by the gradient there, and the state is set to the
    forward solve's. The solver starts anew after the jump, with the step that it had. Where that
    step reaches over outputs, a method with dense output takes them all in one.
    """
    adjoint = gradient[-1]
    layout = Layout((values[0], adjoint, *parameters))
    augmented = _AugmentedField(problem, values[0].shape, parameters, layout)

    def norm(packed: Tensor) -> Tensor:
        parts = layout.unpack(packed)
        assert isinstance(parts, tuple)
        inner = torch.stack([problem.field.layout.norm(part) for part in parts[:2]]).max()
        if problem.seminorm or len(parts) == 2:
            return inner
        return torch.maximum(inner, largest_rms(parts[2:]))

    integrate = problem.backward_of(norm)
    outputs = Outputs(times, values, gradient)
    stepper, control = integrate.dense_runge_kutta, integrate.control
    spanning: SpanningStep | None = None
    if stepper is not None:
        kind = CompiledSpanningStep if integrate.is_compiled else SpanningStep
        spanning = kind(problem.field, stepper, control, parameters, layout, problem.seminorm)
    of_parameters = [torch.zeros_like(parameter) for parameter in parameters]
    step: float | None = None
    last = len(times) - 1
    while last > 0:
        first = last - 1
        if spanning is not None and step is not None:
            reached = outputs.within(last, step)
            if outputs.between(reached, last):
                spanned = spanning.attempt(outputs, reached, last, adjoint, of_parameters)
                step = spanned.next_step
                if spanned.accepted:
                    last, adjoint, of_parameters = reached, spanned.adjoint, spanned.of_parameters
                continue
        if times[last] != times[first]:
            start = layout.pack((values[last], adjoint, *of_parameters))
            solved = integrate(augmented, start, (times[last], times[first]), first_step=step)
            step = solved.next_step
            parts = layout.unpack(solved.values[-1])
            assert isinstance(parts, tuple)
            _, adjoint, *of_parameters = parts
        adjoint = adjoint + gradient[first]
        last = first
    return [adjoint, *of_parameters]


class _AugmentedField:
    r"""State, adjoint and gradients of the parameters as one state.

    .. math:: \frac{d}{dt} (y,\ a,\ g) = \left( f,\
              -a^\top \frac{\partial f}{\partial y},\
              -a^\top \frac{\partial f}{\partial \theta} \right)
    """

    def __init__(
        self,
        problem: AdjointProblem,
        shape: torch.Size,
        parameters: Sequence[Tensor],
        layout: Layout,
    ) -> None:
        field, self._seminorm = problem.field, problem.seminorm
        # Evaluations and steps count as the field's own.
        self.accepted, self.rejected = field.accepted, field.rejected
        self.evaluated = field.evaluated
        self.resolution, self.original = field.resolution, field.original
        self.graphs, self.weights = field.graphs, field.weights
        self._inner = field
        self._parameters = tuple(parameters)
        self._shape, self._augmented = shape, layout

    def pure(self) -> PureAugmentedField:
        """The same for graphs of whole steps."""
        return PureAugmentedField(self._inner.pure(), self._parameters, self._shape, self._seminorm)

    def at(self, t: float, y: Tensor) -> Tensor:
        """The derivative of the packed augmented state."""
        parts = self._augmented.unpack(y)
        assert isinstance(parts, tuple)
        inputs = (parts[0].detach().requires_grad_(), *self._parameters)
        changes: Sequence[Tensor | None] = [None] * len(inputs)
        with torch.enable_grad():
            derivative = self._inner.at(t, inputs[0])
            if derivative.requires_grad:
                changes = torch.autograd.grad(derivative, inputs, parts[1], allow_unused=True)
        filled = [
            torch.zeros_like(like) if change is None else change
            for change, like in zip(changes, inputs, strict=True)
        ]
        packed = self._augmented.pack((derivative.detach(), *filled))
        packed[inputs[0].numel() :].neg_()
        return packed
