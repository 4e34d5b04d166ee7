"""Adams methods of variable order, 1 to 12, and variable steps.

A step of order q predicts over q past slopes, evaluates, corrects over these and the new one, which
gains an order, and evaluates again: two evaluations a step. The error is the difference of the
correctors of order q + 1 and q. The same difference for the orders below and above tells with which
order the next step can be longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from node_cli.methods import Method
from node_cli.solving.adams_weights import Past, implicit_weights, integration_weights
from node_cli.solving.counted_field import SolvableField
from node_cli.solving.state import combine
from node_cli.solving.step_control import StepControl
from node_cli.solving.stepper import AdaptiveStepper, Step, Verdict

MAX_ORDER = 12
_KEPT = MAX_ORDER + 1  # slopes
# Variable-step Adams methods lose their stability where steps grow faster.
_LARGEST_GROWTH = 2.0
# After a rejection the step shrinks by at least this, even where a lower order promises more.
_SHRINK = 0.9


class AdamsMemory(NamedTuple):
    """The field at past times, and the order of the next step."""

    past: Past = Past()
    order: int = 1


class VariableOrderAdams(AdaptiveStepper[AdamsMemory]):
    """Chooses the order of each step along with its length.

    Another solve begins at order 1 again, for which the last step would be too long.
    """

    carries_step: ClassVar[bool] = False

    def __init__(self, _method: Method, _order: int | None = None) -> None:
        pass

    @property
    def error_order(self) -> int:
        """The first step is of order 1."""
        return 1

    def init(
        self, field: SolvableField, t0: float, y0: Tensor, before: AdamsMemory | None = None
    ) -> AdamsMemory:
        """The past with the field at ``t0``, unless the step before has evaluated it."""
        memory = before or AdamsMemory()
        if memory.past.times[:1] == (t0,):
            return memory
        return memory._replace(past=memory.past.with_slope(t0, field.at(t0, y0), _KEPT))

    def slope(self, memory: AdamsMemory) -> Tensor:
        """The newest one."""
        return memory.past.slopes[0]

    def step(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, memory: AdamsMemory
    ) -> AdamsStep:
        """Predict, evaluate and correct."""
        return AdamsStep(field, t0, t1, y0, memory)

    def judge(
        self,
        control: StepControl,
        length: float,
        y0: Tensor,
        memory: AdamsMemory,
        step: Step[AdamsMemory],
    ) -> Verdict[AdamsMemory]:
        """Accept it by its own order; choose the order whose next step is longest."""
        assert isinstance(step, AdamsStep)
        with torch.no_grad():
            errors = [step.error_of(order) for order in step.orders]
            ratios = dict(zip(step.orders, control.error_ratios(errors, y0, step.y1), strict=True))
        accepted = ratios[memory.order] <= 1.0
        order, proposed = _longest(control, length, ratios, MAX_ORDER if accepted else memory.order)
        if not accepted:
            proposed = min(proposed, _SHRINK * length)
        return Verdict(accepted, proposed, lambda memory: memory._replace(order=order))


class AdamsStep(Step[AdamsMemory]):
    """One step of the order that its memory says.

    Attributes:
        orders: for which the error can be told: its own, and those below and above.
    """

    def __init__(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, memory: AdamsMemory
    ) -> None:
        self._field, self._t1 = field, t1
        self._memory = memory
        past, order = memory
        explicit = integration_weights(past.times[:order], t0, t1)
        predicted = combine(y0, explicit, past.slopes[:order])
        self._f1 = field.at(t1, predicted)
        self.orders = range(max(order - 1, 1), min(order + 1, MAX_ORDER, len(past.times)) + 1)
        # Of order q + 1, by q.
        self._correctors = {
            q: implicit_weights(past, t0, t1, q)
            for q in range(self.orders[0] - 1, self.orders[-1] + 1)
        }
        self.y1 = combine(y0, self._correctors[order], [self._f1, *past.slopes[:order]])
        self._with_end: Past | None = None

    def error_of(self, order: int) -> Tensor:
        """What the correctors of this order and of one more differ by."""
        higher, lower = self._correctors[order], self._correctors[order - 1]
        weights = [a - b for a, b in zip(higher, [*lower, 0.0], strict=True)]
        return combine(self._f1 * weights[0], weights[1:], self._memory.past.slopes[:order])

    def values(self, times: Sequence[float]) -> Tensor:
        """From the polynomial through the field at the end and the past of this step."""
        past, order = self._memory
        end = self._past_with_end()
        nodes = [self._t1, *past.times[:order]]
        slopes = [end.slopes[0], *past.slopes[:order]]
        inside = [combine(self.y1, integration_weights(nodes, self._t1, s), slopes) for s in times]
        return torch.stack(inside)

    def memory(self) -> AdamsMemory:
        """The past, with the field at the end where it was evaluated for values inside."""
        past = self._memory.past if self._with_end is None else self._with_end
        return self._memory._replace(past=past)

    def _past_with_end(self) -> Past:
        if self._with_end is None:
            f1 = self._field.at(self._t1, self.y1)
            self._with_end = self._memory.past.with_slope(self._t1, f1, _KEPT)
        return self._with_end


def _longest(
    control: StepControl, step: float, ratios: dict[int, float], most: int
) -> tuple[int, float]:
    """The order, at most ``most``, whose next step is longest, and that step."""
    steps = {
        order: control.next_step(step, ratio, order + 1)
        for order, ratio in ratios.items()
        if order <= most
    }
    # Of equal steps the lower order's: it costs less and is more stable.
    order = max(steps, key=lambda q: (min(steps[q], _LARGEST_GROWTH * step), -q))
    return order, min(steps[order], _LARGEST_GROWTH * step)
