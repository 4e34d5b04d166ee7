"""Explicit Runge-Kutta methods whose steps are compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

import node_cli.solving.compilation as compilation
from node_cli.methods import Method
from node_cli.solving.adjoint_graph import PureAugmentedField, adjoint_step
from node_cli.solving.bound_graphs import BoundGraphs
from node_cli.solving.compilation import CompiledFunction, System, Tensors
from node_cli.solving.counted_field import SolvableField
from node_cli.solving.finiteness import refuse_not_finite
from node_cli.solving.first_step import Beginning
from node_cli.solving.runge_kutta import RungeKutta, dense_values
from node_cli.solving.step_control import StepControl
from node_cli.solving.step_graph import (
    StepSystem,
    change_forward,
    clock_of,
    stage_times,
    start_forward,
    step_forward,
)
from node_cli.solving.stepper import AdaptiveStepper, Step, Verdict


@cache
def _compiled(
    function: Callable[..., Tensors], what: str, backend: str, in_loops: bool
) -> CompiledFunction:
    return CompiledFunction(function, what, backend, in_loops)


def compiled(
    function: Callable[..., Tensors], what: str, in_loops: bool = False
) -> CompiledFunction:
    """A function of ``step_graph``, one for all solves: so a graph is compiled once."""
    return _compiled(function, what, compilation.BACKEND, in_loops)


class Start(NamedTuple):
    """What a step knows of its start.

    Attributes:
        slope: the field there; None: the graph of the step evaluates it.
        sizes: at the start of a solve, what ``start_forward`` measures there.
    """

    slope: Tensor | None
    sizes: Tensor | None = None


class CompiledRungeKutta(AdaptiveStepper[Start]):
    """Takes the steps of ``RungeKutta``, each as one call of a compiled graph.

    It keeps the graphs that it finds, and so serves one solve.

    Args:
        method: declares the tableau.
        control: compares errors with the tolerances.

    Attributes:
        parameters: of the field, that get gradients.
        direct: in direct mode, in which whatever the field uses gets its gradient.
        tolerances: relative and absolute; none where steps are given.
    """

    stretch: ClassVar[float] = RungeKutta.stretch

    def __init__(self, method: Method, control: StepControl) -> None:
        assert method.tableau is not None
        self.tableau = method.tableau
        self.dense = self.tableau.dense is not None
        self._adaptive = method.kind == "adaptive"
        self.tolerances = (control.rtol, control.atol) if self._adaptive else (0.0, 0.0)
        self._norm = control.norm if self._adaptive else None
        self._graphs: BoundGraphs | None = None
        self._carried: int | None = None  # of a slope, where the field is augmented
        self._begun = False
        self.parameters: tuple[Tensor, ...] = ()
        self.direct = False

    @property
    def error_order(self) -> int:
        """That of the embedded solution."""
        return self.tableau.order - 1

    def init(
        self, field: SolvableField, t0: float, y0: Tensor, before: Start | None = None
    ) -> Start:
        """The field at ``t0``, unless the step before has evaluated it or this one will do so."""
        if before is not None and before.slope is not None:
            return before
        graphs = self.graphs(field)
        # Who asks for a length of the first step, or for values inside, needs the slope at once.
        if not self._adaptive or (self._begun and self._carried is not None):
            field.evaluated([t0])
            return Start(None)
        self._begun = True
        field.evaluated([t0])
        start = compiled(start_forward, "the start of a solve")
        clock = clock_of(self.tolerances, 0.0, [t0], y0)
        return Start(*graphs(start, clock, y0))

    def slope(self, memory: Start) -> Tensor:
        """The field at the start of the step."""
        assert memory.slope is not None
        return memory.slope

    def beginning(
        self, control: StepControl, field: SolvableField, t0: float, y0: Tensor, memory: Start
    ) -> Beginning:
        """What the length of the first step is chosen by, measured by graphs."""
        if memory.sizes is None:
            return super().beginning(control, field, t0, y0, memory)
        return CompiledBeginning(self, control, field, (t0, y0, memory))

    def step(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, memory: Start
    ) -> CompiledStep:
        """All stages, and the state at ``t1``."""
        slope, graphs = memory.slope, self.graphs(field)
        times = stage_times(self.tableau, t0, t1)
        field.evaluated(times[1:])
        clock = clock_of(self.tolerances, t1 - t0, times, y0)
        if self._carried is None:
            y1, *rest = graphs(compiled(step_forward, "a step"), clock, y0, slope)
        else:
            carried = None if slope is None else slope[: self._carried]
            step = compiled(adjoint_step, "a step of the adjoint")
            y1, *rest = graphs(step, clock, y0, carried)
        return CompiledStep(self, field, (t0, t1), y0, slope, y1, rest)

    def system(self, field: SolvableField, of_gradients: bool = False) -> System:
        """What all steps have in common, or all gradients of steps."""
        pure, parameters = field.pure(), self.parameters
        content = StepSystem(pure, self.tableau, self._norm, parameters if of_gradients else ())
        # The adjoint's states have shapes of their own.
        method = (self.tableau, type(pure))
        known = parameters if self.direct else None
        return System(content, field.original, known, method, field.weights)

    def graphs(self, field: SolvableField) -> BoundGraphs:
        """Those of the solve; within a backward pass they have to run in some way."""
        if self._graphs is None:
            system = self.system(field)
            pure = system.content.field
            setting: tuple[Any, ...] = (self.tableau, type(pure))
            if isinstance(pure, PureAugmentedField):
                self._carried = pure.carried
                setting = (*setting, *pure.setting)
            self._graphs = BoundGraphs(
                system, setting, or_plain=self._carried is not None, forward=field.graphs
            )
            if field.graphs is None:
                field.graphs = self._graphs
        return self._graphs

    def judge(
        self, control: StepControl, length: float, y0: Tensor, memory: Start, step: Step[Start]
    ) -> Verdict[Start]:
        """Accept it where the error ratio is at most 1."""
        assert isinstance(step, CompiledStep)
        assert step.ratio is not None
        ratio = float(step.ratio)
        return Verdict(ratio <= 1.0, control.next_step(length, ratio, self.tableau.order))


class CompiledBeginning(Beginning):
    """Measured by graphs.

    Args:
        stepper: of the solve.
        control: has the method's name.
        field: the vector field.
        start: the initial time, the state and what is known there.
    """

    def __init__(
        self,
        stepper: CompiledRungeKutta,
        control: StepControl,
        field: SolvableField,
        start: tuple[float, Tensor, Start],
    ) -> None:
        self._stepper, self._control, self._field = stepper, control, field
        self._t, self._y, self._start = start

    def sizes(self) -> tuple[float, float]:
        """As of ``Beginning``."""
        assert self._start.sizes is not None
        assert self._start.slope is not None
        size, slope, finite = self._start.sizes.tolist()
        if not finite:
            refuse_not_finite(self._y, "state", self._control.method, self._t)
            refuse_not_finite(self._start.slope, "vector field", self._control.method, self._t)
        return size, slope

    def change(self, step: float) -> float:
        """As of ``Beginning``."""
        times = [self._t + step]
        self._field.evaluated(times)
        clock = clock_of(self._stepper.tolerances, step, times, self._y)
        change = compiled(change_forward, "the choice of the first step")
        (found,) = self._stepper.graphs(self._field)(change, clock, self._y, self._start.slope)
        return float(found)


class CompiledStep(Step[Start]):
    """What the graph of a step gave.

    Args:
        stepper: that took it.
        field: the vector field.
        ends: where it starts and ends.
        y0: the state at its start.
        f0: the field there, where it is known.
        y1: the state at its end.
        rest: what else there is, as ``step_forward`` and ``adjoint_step`` give it.
    """

    def __init__(
        self,
        stepper: CompiledRungeKutta,
        field: SolvableField,
        ends: tuple[float, float],
        y0: Tensor,
        f0: Tensor | None,
        y1: Tensor,
        rest: Sequence[Tensor],
    ) -> None:
        self._field, self._ends, self._y0, self._f0, self.y1 = field, ends, y0, f0, y1
        self._f1 = rest[0] if stepper.tableau.first_same_as_last else None
        self._ends_alike = self._f1 is not None
        self._middle = rest[1] if stepper.tableau.middle is not None else None
        self.ratio = rest[-1] if rest else None

    def memory(self) -> Start:
        """The field at the end, where the last stage is that."""
        return Start(self._f1 if self._ends_alike else None)

    def values(self, times: Sequence[float]) -> Tensor:
        """The states at times inside of it, ``[len(times), *y0.shape]``."""
        if self._f1 is None:
            self._f1 = self._field.at(self._ends[1], self.y1)
        assert self._f0 is not None
        terms = [self.y1 - self._y0, self._f0, self._f1]
        if self._middle is not None:
            terms.append(self._middle)
        return dense_values(self._y0, terms, *self._ends, times)
