"""What a solver is to the loops that take its steps.

A solver has no state of its own: what it remembers between steps is handed from one to the next.
So a step depends on its arguments alone, and can be compiled, transformed or replayed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from torch import Tensor

from node_cli.solving.counted_field import SolvableField
from node_cli.solving.first_step import Beginning, EvaluatedBeginning
from node_cli.solving.step_control import StepControl

# What a method remembers from step to step.
Memory = TypeVar("Memory")


class Step(ABC, Generic[Memory]):
    """A step that was taken; what is not asked for is not computed.

    Attributes:
        y1: the state at its end.
    """

    y1: Tensor

    @abstractmethod
    def memory(self) -> Memory:
        """What the next step, from the end of this one, is to know."""

    def error(self) -> Tensor:
        """The estimated error of ``y1``; no gradient flows through it."""
        raise NotImplementedError

    def values(self, times: Sequence[float]) -> Tensor:
        """The states at times inside of it, ``[len(times), *y0.shape]``."""
        raise NotImplementedError


def _unchanged(memory: Memory) -> Memory:
    return memory


class Verdict(NamedTuple, Generic[Memory]):
    """What becomes of a step.

    Attributes:
        accepted: it is kept.
        next_step: the length of the step to try next, from its end or once more from its start.
        change: what the choice changes in the memory for that step: in that of the end of a step
            that is kept, and of the start of one that is tried once more.
    """

    accepted: bool
    next_step: float
    change: Callable[[Memory], Memory] = _unchanged


class Stepper(ABC, Generic[Memory]):
    """Takes the steps of a method."""

    @abstractmethod
    def init(
        self, field: SolvableField, t0: float, y0: Tensor, before: Memory | None = None
    ) -> Memory:
        """What a step from ``t0`` is to know.

        Args:
            field: the vector field.
            t0: where the step starts.
            y0: the state there.
            before: as the step before left it; None: this is the first one.
        """

    @abstractmethod
    def step(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, memory: Memory
    ) -> Step[Memory]:
        """Go from ``t0`` to ``t1``, which lies before it where time runs backwards."""


class AdaptiveStepper(Stepper[Memory]):
    """Takes steps that follow an error estimate.

    Attributes:
        stretch: the last step may be so many times as long as the control says, rather than leave
            a tiny one.
        dense: values inside of a step can be had; else every output time ends one.
        carries_step: a solve that goes on from the last state can begin with the last step.
    """

    stretch: ClassVar[float] = 1.0
    dense: bool = True
    carries_step: ClassVar[bool] = True

    @property
    @abstractmethod
    def error_order(self) -> int:
        """The order of the solution that the error estimate is of, at the first step."""

    @abstractmethod
    def slope(self, memory: Memory) -> Tensor:
        """The field at the start of a step, which ``init`` has evaluated."""

    def beginning(
        self, control: StepControl, field: SolvableField, t0: float, y0: Tensor, memory: Memory
    ) -> Beginning:
        """What the length of the first step is chosen by."""
        return EvaluatedBeginning(control, field, t0, y0, self.slope(memory))

    @abstractmethod
    def judge(
        self, control: StepControl, length: float, y0: Tensor, memory: Memory, step: Step[Memory]
    ) -> Verdict[Memory]:
        """Accept a step or not, and say how long the next one is.

        Args:
            control: compares errors with the tolerances.
            length: of the step, positive.
            y0: the state at its start.
            memory: with which it began.
            step: as it was taken.
        """
