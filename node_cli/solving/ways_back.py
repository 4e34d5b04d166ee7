"""What a loop back over the steps of a solve is called with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from node_cli.solving.attempt_graph import attempt_backward, given_step_backward, replayed_backward
from node_cli.solving.compilation import Tensors
from node_cli.solving.compiled_runge_kutta import CompiledRungeKutta
from node_cli.solving.host_numbers import tensor_of
from node_cli.solving.looped_given_steps import GivenCourse
from node_cli.solving.looped_steps import Course

# Numbers that gradients of outputs are spread over at once.
_SPREAD = 2**20


class Calls(NamedTuple):
    """The calls of a loop.

    Attributes:
        function: takes what follows, in this order, and the sums of the parameters' gradients; it
            gives what moves, and the sums.
        shared: what all calls take.
        alone: of each call, in the order of time.
        moving: zeros for the gradients of states that go from call to call, two of each; that of
            the state itself is the first.
        of_start: the gradient of the first state by outputs that are at it; None: the calls have
            it.
    """

    function: Callable[..., Tensors]
    shared: Sequence[Tensor]
    alone: Sequence[Tensor]
    moving: Sequence[Tensor]
    of_start: Tensor | None = None


class WayBack(ABC):
    """A solve that was taken, but for the tensors that are kept of it.

    Args:
        stepper: that took it.
        ends: where each step starts and ends.
        output_steps: the step of each output; of those at the start any up to the first.
        begun: so many outputs are at the start.
    """

    def __init__(
        self,
        stepper: CompiledRungeKutta,
        ends: np.ndarray | Sequence[tuple[float, float]],
        output_steps: np.ndarray,
        begun: int,
    ) -> None:
        self._stepper, self._ends = stepper, ends
        self._output_steps, self._begun = output_steps, begun

    @abstractmethod
    def calls(self, kept: Sequence[Tensor], gradient: np.ndarray) -> Calls:
        """The calls that take back the gradient of the values ``[T, *y0.shape]``.

        Args:
            kept: the states at the starts of the steps and, where it was kept, the field there.
            gradient: of the values.
        """

    @property
    @abstractmethod
    def replayed(self) -> int:
        """The evaluations that are made once more where the field was not kept."""

    @property
    def steps(self) -> list[tuple[float, float, range]]:
        """Where each step starts and ends, and the outputs in it, but for those at the start."""
        places = np.searchsorted(self._output_steps, np.arange(len(self._ends) + 1))
        places[0] = self._begun
        return [
            (float(start), float(end), range(int(first), int(last)))
            for (start, end), first, last in zip(self._ends, places[:-1], places[1:], strict=True)
        ]


class AdaptiveWayBack(WayBack):
    """Over steps with values inside of them.

    Args:
        stepper: that took them.
        course: the steps.
        begun: so many outputs are at the start.
    """

    def __init__(self, stepper: CompiledRungeKutta, course: Course, begun: int) -> None:
        super().__init__(stepper, course.ends, course.outputs.steps, begun)
        self._outputs = course.outputs

    def calls(self, kept: Sequence[Tensor], gradient: np.ndarray) -> Calls:
        """As of ``WayBack``."""
        states, *slopes = kept
        places = np.asarray(self._ends)
        function: Callable[..., Tensors] = replayed_backward
        if slopes:
            # The last call, over a step of no length, goes through the field at the start.
            places = np.concatenate([[[places[0, 0], places[0, 0]]], places])
            kept = [torch.cat([x[:1], x]) for x in kept]
            function = attempt_backward
        of_steps = self._of_calls(gradient, len(places))
        return Calls(
            function,
            [tensor_of(self._stepper.tolerances, states)],
            [torch.from_numpy(places), *kept, torch.from_numpy(of_steps)],
            [_two_of(states) for _ in kept],
        )

    @property
    def replayed(self) -> int:
        """Each stage but that at the end, which is evaluated where values are inside."""
        steps, bases = (x[self._begun :] for x in (self._outputs.steps, self._outputs.bases))
        inside = np.unique(steps[bases == steps])
        return len(self._ends) * len(self._stepper.tableau.nodes) + len(inside)

    def _of_calls(self, gradient: np.ndarray, count: int) -> np.ndarray:
        """What the outputs add to the gradients of their steps, as ``attempt_backward`` takes it.

        The last steps are those of the solve, of ``count``.
        """
        jump, *others = self._outputs.weights.T
        places = self._outputs.steps + (count - len(self._ends))
        at_end = self._outputs.bases - self._outputs.steps
        weights = np.array([1.0 - at_end - jump, at_end + jump, *others], jump.dtype).T[:, :, None]
        flat = gradient.reshape(len(gradient), 1, -1)
        total = np.zeros((count, weights.shape[1], flat.shape[-1]), flat.dtype)
        size = max(1, _SPREAD // max(1, total[0].size))
        for begin in range(0, len(flat), size):
            part = slice(begin, begin + size)
            _add_at(total, places[part], weights[part] * flat[part])
        return total.reshape(count, weights.shape[1], *gradient.shape[1:])


class GivenWayBack(WayBack):
    """Over given steps, at whose ends the outputs are.

    Args:
        stepper: that took them.
        course: the steps.
        begun: so many outputs are at the start.
    """

    def __init__(self, stepper: CompiledRungeKutta, course: GivenCourse, begun: int) -> None:
        super().__init__(stepper, course.ends, course.outputs - 1, begun)
        self._clocks = course.clocks

    def calls(self, kept: Sequence[Tensor], gradient: np.ndarray) -> Calls:
        """As of ``WayBack``."""
        of_states = np.zeros((len(self._ends) + 1, *gradient.shape[1:]), gradient.dtype)
        _add_at(of_states, self._output_steps + 1, gradient)
        of_start, of_ends = torch.from_numpy(of_states).split([1, len(self._ends)])
        alone = [self._clocks, *kept, of_ends]
        return Calls(given_step_backward, [], alone, [_two_of(kept[0])], of_start[0])

    @property
    def replayed(self) -> int:
        """All stages."""
        return len(self._ends) * (1 + len(self._stepper.tableau.nodes))


def way_back(stepper: CompiledRungeKutta, course: Course | GivenCourse, begun: int) -> WayBack:
    """That of a solve."""
    kind = GivenWayBack if isinstance(course, GivenCourse) else AdaptiveWayBack
    return kind(stepper, course, begun)  # type: ignore[arg-type]


def _two_of(states: Tensor) -> Tensor:
    return states.new_zeros(2, *states.shape[1:])


def _add_at(total: np.ndarray, places: np.ndarray, parts: np.ndarray) -> None:
    """Add each part at its place; those at the same one follow each other."""
    first = np.flatnonzero(np.diff(places, prepend=-1))
    total[places[first]] += np.add.reduceat(parts, first)
