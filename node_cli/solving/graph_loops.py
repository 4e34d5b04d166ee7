"""Graphs of one kernel, called many times in a row by one call from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

# Of the plan of a loop, which has the following numbers: how often the kernel is called, and which
# argument ends it (-1: none); then for each argument where it begins, a mask, and how many bytes
# lie between what one call and the next take of it.
HEAD, EACH = 2, 3

_ALL, _TWO = -1, 1  # masks
_STILL = (0, _ALL, 0)  # the same in all calls


class NotOneKernelError(Exception):
    """A graph is more than one kernel, so that no loop goes around it."""


class Along(NamedTuple):
    """What a call of the loop takes of a tensor, or writes into it.

    Attributes:
        tensor: what there is for all calls.
        first: the place along its first dimension of what the first call takes.
        mask: of the places: all, or the first two by turns.
        step: from the place of one call to that of the next; 0: all calls take all of it.
    """

    tensor: Tensor
    first: int = 0
    mask: int = _ALL
    step: int = 1

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Of the plan."""
        if not self.step:
            return _STILL
        stride = self.tensor.stride(0) * self.tensor.element_size() * self.step
        return self.first * self.step, self.mask, stride


def whole(tensor: Tensor) -> Along:
    """The same for all calls."""
    return Along(tensor, step=0)


def series(tensor: Tensor, first: int = 0) -> Along:
    """One after the other."""
    return Along(tensor, first)


def backwards(tensor: Tensor) -> Along:
    """One after the other, the last one first."""
    return Along(tensor, len(tensor) - 1, step=-1)


def by_turns(tensor: Tensor, first: int) -> Along:
    """Of two: what a call writes is what the next one takes."""
    return Along(tensor, first, _TWO)


@dataclass(frozen=True)
class GraphLoop:
    """A graph that is called in a loop.

    Attributes:
        repeat: the code of the loop, with its ``roles``, as ``kernel_loops`` writes it.
        template: what the graph takes; None in the places of the tensors given.
        slots: places in the template, each with that of a tensor given.
        places: of the function's results, among the outputs of the graph and, after them, the
            tensors given.
        outputs: of the graph.
        plans: by the number of calls, as they were made.
    """

    repeat: Any
    template: Sequence[Any]
    slots: Sequence[tuple[int, int]]
    places: Sequence[int]
    outputs: int
    plans: dict[int, np.ndarray]

    def passes(self, result: int) -> bool:
        """Whether a result of the function is one of the tensors given, as it came."""
        return self.places[result] >= self.outputs

    def __call__(
        self,
        count: int,
        given: Sequence[Along],
        results: Sequence[Along],
        ending: int | None = None,
    ) -> int:
        """Call it so many times at most, and say how often it was.

        A number of calls goes with one way of taking what there is, and of ending.

        Args:
            count: at most.
            given: what the function takes; lies as the tensors with which it was found.
            results: where what it gives is written; what passes is not.
            ending: the result, of one number in float64, that ends it once it is not zero.
        """
        inputs = list(self.template)
        for i, j in self.slots:
            inputs[i] = given[j].tensor
        outputs: list[Tensor | None] = [None] * self.outputs
        for place, along in zip(self.places, results, strict=True):
            if place < self.outputs:
                outputs[place] = along.tensor
        plan = self.plans.get(count)
        if plan is None:
            plan = self.plans[count] = self._plan(count, given, results, ending)
        mine = plan.copy()
        self.repeat(inputs, outputs, torch.from_numpy(mine))
        return int(mine[0])

    def _plan(
        self,
        count: int,
        given: Sequence[Along],
        results: Sequence[Along],
        ending: int | None,
    ) -> np.ndarray:
        taken, written = [_STILL] * len(self.template), [_STILL] * self.outputs
        for i, j in self.slots:
            taken[i] = given[j].numbers
        for place, along in zip(self.places, results, strict=True):
            if place < self.outputs:
                written[place] = along.numbers
        roles = self.repeat.roles
        plan = [count, -1 if ending is None else roles.index(-1 - self.places[ending])]
        for role in roles:
            plan.extend(_STILL if role is None else taken[role] if role >= 0 else written[~role])
        return np.array(plan, dtype=np.int64)
