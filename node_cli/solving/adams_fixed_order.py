"""Adams methods of a fixed order and given steps.

Both begin with Runge-Kutta steps until there are slopes enough.
"""

from __future__ import annotations

from torch import Tensor

from node_cli.methods import METHODS, Method
from node_cli.solving.adams_weights import Past, implicit_weights, integration_weights
from node_cli.solving.counted_field import SolvableField
from node_cli.solving.runge_kutta import RungeKutta
from node_cli.solving.state import combine
from node_cli.solving.stepper import Step, Stepper


class FixedOrderStep(Step[Past]):
    """A step whose past is known; ``init`` adds the field at its end."""

    def __init__(self, y1: Tensor, past: Past) -> None:
        self.y1, self._past = y1, past

    def memory(self) -> Past:
        """The past up to its start."""
        return self._past


class ExplicitAdams(Stepper[Past]):
    """Adams-Bashforth: one evaluation a step.

    Args:
        order: of the method.
    """

    def __init__(self, _method: Method, order: int | None) -> None:
        assert order is not None
        self.order = order
        self._starter = RungeKutta(METHODS["rk4" if order <= 5 else "dopri8"])

    @property
    def needed(self) -> int:
        """Past slopes that a step is taken with."""
        return self.order

    def init(self, field: SolvableField, t0: float, y0: Tensor, before: Past | None = None) -> Past:
        """The past with the field at ``t0``."""
        return (before or Past()).with_slope(t0, field.at(t0, y0), max(self.needed, 1))

    def step(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, memory: Past
    ) -> FixedOrderStep:
        """Over the past, or by a Runge-Kutta method where that is too short."""
        if len(memory.times) < self.needed:
            y1 = self._starter.step(field, t0, t1, y0, memory.slopes[0]).y1
        else:
            explicit = integration_weights(memory.times, t0, t1)
            predicted = combine(y0, explicit, memory.slopes)
            y1 = self.corrected(field, t0, t1, y0, memory, predicted)
        return FixedOrderStep(y1, memory)

    def corrected(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, past: Past, predicted: Tensor
    ) -> Tensor:
        """The state at ``t1``, from the predicted one: that itself."""
        return predicted


class ImplicitAdams(ExplicitAdams):
    """Adams-Moulton: predicts with one order less, evaluates, corrects, and evaluates again."""

    @property
    def needed(self) -> int:
        """One less: the new slope gives the last order."""
        return self.order - 1

    def corrected(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, past: Past, predicted: Tensor
    ) -> Tensor:
        """Over the new slope and the past."""
        weights = implicit_weights(past, t0, t1, self.order - 1)
        slopes = [field.at(t1, predicted), *past.slopes[: self.order - 1]]
        return combine(y0, weights, slopes)
