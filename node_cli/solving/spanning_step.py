"""A backward step of the adjoint that passes over output times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from node_cli.solving.counted_field import CountedField
from node_cli.solving.host_numbers import slice_of
from node_cli.solving.runge_kutta import RungeKutta
from node_cli.solving.state import Layout
from node_cli.solving.step_control import StepControl


@dataclass(frozen=True)
class Outputs:
    """What the forward solve gave, and what came back.

    Attributes:
        times: of the outputs.
        values: the states there, ``[len(times), *y0.shape]``.
        gradients: of the loss with respect to each, of the same shape.
    """

    times: Sequence[float]
    values: Tensor
    gradients: Tensor

    def within(self, last: int, step: float) -> int:
        """The first of the outputs before ``last`` that a step back from there reaches."""
        first = last
        while first > 0 and abs(self.times[first - 1] - self.times[last]) <= step:
            first -= 1
        return first

    def between(self, first: int, last: int) -> list[int]:
        """The outputs strictly inside of an interval between two of them."""
        ends = (self.times[first], self.times[last])
        return [k for k in range(first + 1, last) if self.times[k] not in ends]


@dataclass(frozen=True)
class Span:
    """An interval between two outputs, over which a step goes back.

    Attributes:
        outputs: of the forward solve.
        first: the output at which it starts.
        last: that at which it ends.
        adjoint: at the end, with the jump of the last output.
        of_end: the same with the jumps of all outputs there.
    """

    outputs: Outputs
    first: int
    last: int
    adjoint: Tensor
    of_end: Tensor

    @property
    def ends(self) -> tuple[float, float]:
        """Its times."""
        return self.outputs.times[self.first], self.outputs.times[self.last]

    @property
    def length(self) -> float:
        """The time between them."""
        start, end = self.ends
        return abs(end - start)

    @property
    def inside(self) -> list[int]:
        """The outputs strictly inside."""
        return self.outputs.between(self.first, self.last)


@dataclass(frozen=True)
class Spanned:
    """What became of a step over outputs.

    Attributes:
        accepted: it is kept.
        next_step: the length of the step to try next.
        adjoint: at its first time, with the gradients of the outputs there.
        of_parameters: the gradients of the parameters.
    """

    accepted: bool
    next_step: float
    adjoint: Tensor
    of_parameters: list[Tensor]


class SpanningStep:
    r"""Takes the adjoint back over several output times in one step.

    The adjoint jumps at each output, so that no step of its own can pass one. But it is linear:
    with :math:`y(t_k) = S_k(y(t_j))`, what a step of the solver from the output :math:`t_j` gives
    at the outputs behind it,

    .. math:: a(t_j) = \sum_k \left( \frac{\partial S_k}{\partial y} \right)^\top g_k,

    where :math:`g_k` is the jump at :math:`t_k`, at the last one with the adjoint from behind. This
    is a Runge-Kutta step of the adjoint system, of the solver's order (Sanz-Serna 2016, SIAM
    Review 58), and one pass back through the stages takes all jumps. It begins at a state of the
    forward solve, which therefore need not be solved backwards. The errors are that of the embedded
    solution, with all jumps counted as if they were at the end, and that of the values inside: of
    the state, and transposed as the step itself is, of the adjoint and the gradients.

    Args:
        field: the vector field.
        stepper: a method with dense output.
        control: accepts and sizes steps, by the norm of the augmented state.
        parameters: that get gradients.
        layout: of state, adjoint and gradients of the parameters as one state.
        seminorm: the errors of the gradients do not count.
    """

    def __init__(
        self,
        field: CountedField,
        stepper: RungeKutta,
        control: StepControl,
        parameters: Sequence[Tensor],
        layout: Layout,
        seminorm: bool,
    ) -> None:
        self._field, self._stepper, self._control = field, stepper, control
        self._parameters, self._layout, self._seminorm = tuple(parameters), layout, seminorm

    def attempt(
        self,
        outputs: Outputs,
        first: int,
        last: int,
        adjoint: Tensor,
        of_parameters: Sequence[Tensor],
    ) -> Spanned:
        """Go back from output ``last`` to output ``first``, where it is accurate enough.

        Args:
            outputs: of the forward solve.
            first: the output to which the step goes.
            last: that from which it goes.
            adjoint: at ``last``, with the jump there.
            of_parameters: the gradients of the parameters so far.
        """
        times, jumps = outputs.times, outputs.gradients
        at_first = sum(jumps[k] for k in range(first, last) if times[k] == times[first])
        end = adjoint + sum(jumps[k] for k in range(first + 1, last) if times[k] == times[last])
        span = Span(outputs, first, last, adjoint, end)
        ratio, of_y, found = self.taken(span, of_parameters)
        accepted = ratio <= 1.0
        (self._field.accepted if accepted else self._field.rejected)()
        next_step = self._control.next_step(span.length, ratio, self._stepper.tableau.order)
        return Spanned(accepted, next_step, of_y + at_first, found)

    def taken(
        self, span: Span, of_parameters: Sequence[Tensor]
    ) -> tuple[float, Tensor, list[Tensor]]:
        """The error ratio, the gradient of the state at the start, and those of the parameters."""
        outputs, (t0, t1), inside = span.outputs, span.ends, span.inside
        of_inside = outputs.gradients[slice_of(inside)]
        with torch.enable_grad():
            y = outputs.values[span.first].detach().requires_grad_()
            memory = self._stepper.init(self._field, t0, y)
            step = self._stepper.step(self._field, t0, t1, y, memory)
            within = step.values([outputs.times[k] for k in inside])
            errors = [step.estimate(), step.defect()]
        changes = self._pulled_back([step.y1, within], [span.of_end, of_inside], y)
        seeds = [span.of_end + of_inside.sum(0), of_inside.sum(0)]
        unsure = self._pulled_back(errors, seeds, y, kept=False)
        found = [old + new for old, new in zip(of_parameters, changes[1:], strict=True)]
        pack = self._layout.pack
        ratio = self._control.error_ratio(
            pack((errors[0].detach().abs() + errors[1].detach().abs(), *unsure)),
            pack((outputs.values[span.last], span.adjoint, *of_parameters)),
            pack((outputs.values[span.first], changes[0], *found)),
        )
        return ratio, changes[0], found

    def _pulled_back(
        self, results: list[Tensor], gradients: list[Tensor], y: Tensor, kept: bool = True
    ) -> list[Tensor]:
        """Gradients of the state and the parameters; ``kept``: the graph is needed once more."""
        inputs = (y, *self._parameters)
        # Errors that do not count are not computed.
        asked = inputs[:1] if self._seminorm and not kept else inputs
        found: list[Tensor | None] = [None] * len(inputs)
        given = [pair for pair in zip(results, gradients, strict=True) if pair[0].requires_grad]
        if given:
            of, seeds = zip(*given, strict=True)
            found[: len(asked)] = torch.autograd.grad(
                of, asked, seeds, allow_unused=True, retain_graph=kept
            )
        return [
            torch.zeros_like(like) if change is None else change
            for change, like in zip(found, inputs, strict=True)
        ]
