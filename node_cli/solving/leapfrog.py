r"""Leapfrog steps and their compositions, for separable Hamiltonian systems.

A leapfrog step from :math:`t` to :math:`t + h` kicks, drifts and kicks:

.. math:: p_{1/2} = p_0 + \tfrac{h}{2} F(t, q_0), \quad
          q_1 = q_0 + h\,v(t + \tfrac{h}{2}, p_{1/2}), \quad
          p_1 = p_{1/2} + \tfrac{h}{2} F(t + h, q_1),

with the force :math:`F = -\partial V / \partial q` and the velocity
:math:`v = \partial T / \partial p`. The last kick's force is that of the next step's first one, so
that a step evaluates each of the two once. Each kick and each drift is the exact flow of a part of
the system: the step is symplectic, and undone by a step back.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import torch
from torch import Tensor

from node_cli.methods import Method
from node_cli.solving.counted_field import CountedField, SolvableField
from node_cli.solving.state import combine
from node_cli.solving.stepper import Step, Stepper


class LeapfrogStep(Step[Tensor]):
    """A step that was taken, with the force at its end."""

    def __init__(self, y1: Tensor, force: Tensor) -> None:
        self.y1, self._force = y1, force

    def memory(self) -> Tensor:
        """The force at its end."""
        return self._force


class Leapfrog(Stepper[Tensor]):
    """The method of some leapfrog steps; it remembers the force at the start of the next one.

    Args:
        method: declares them. The kicks between two of them are one.
    """

    def __init__(self, method: Method, _order: int | None = None) -> None:
        drifts = method.substeps
        ends = [*accumulate(drifts[:-1], initial=0.0), 1.0]
        kicks = [(a + b) / 2 for a, b in pairwise((0.0, *drifts, 0.0))]
        self._first_kick = kicks[0]
        # Of each drift: where its middle and its end are, its length and that of the kick after it.
        self._parts = [
            ((start + end) / 2, end, drift, kick)
            for (start, end), drift, kick in zip(pairwise(ends), drifts, kicks[1:], strict=True)
        ]

    def init(
        self, field: SolvableField, t0: float, y0: Tensor, before: Tensor | None = None
    ) -> Tensor:
        """The force at ``t0``; one evaluation, unless the step before has made it."""
        assert isinstance(field, CountedField)
        if before is not None:
            return before
        # No view: without a graph, those of what requires a gradient say that they do, too.
        return field.force(t0, y0.chunk(2, dim=-1)[0].clone())

    def step(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, memory: Tensor
    ) -> LeapfrogStep:
        """Kicks and drifts in turn; in a composition some go back, and beyond ``t0`` and ``t1``."""
        assert isinstance(field, CountedField)
        h, force = t1 - t0, memory
        q, p = y0.chunk(2, dim=-1)
        p = combine(p, [h * self._first_kick], [force])
        for middle, end, drift, kick in self._parts:
            q = combine(q, [h * drift], [field.velocity(t0 + h * middle, p)])
            force = field.force(t1 if end == 1.0 else t0 + h * end, q)
            p = combine(p, [h * kick], [force])
        return LeapfrogStep(torch.cat((q, p), dim=-1), force)
