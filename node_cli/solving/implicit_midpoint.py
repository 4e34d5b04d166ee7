r"""The implicit midpoint rule.

.. math:: y_1 = y_0 + h\,k, \qquad
          k = f\bigl(t_0 + \tfrac{h}{2},\ u\bigr), \qquad
          u = y_0 + \tfrac{h}{2} k = \tfrac{1}{2} (y_0 + y_1)

The middle :math:`u` is found by iteration, which is a contraction where
:math:`\tfrac{h}{2} \|\partial f / \partial y\| < 1`. Gradients do not go through the iteration:
of the implicit function, :math:`dk = J\,(dy_0 + \tfrac{h}{2} dk) + \dots` with
:math:`J = \partial f / \partial y` at :math:`u`, so that a gradient :math:`g` of :math:`k` is one
:math:`w` of a single evaluation at :math:`u`, where :math:`w = g + \tfrac{h}{2} J^\top w`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from node_cli.methods import Method
from node_cli.solving.counted_field import SolvableField
from node_cli.solving.failures import IterationError
from node_cli.solving.finiteness import under_vmap
from node_cli.solving.fixed_point import NoFixedPointError, fixed_point
from node_cli.solving.state import combine
from node_cli.solving.stepper import Step, Stepper


class MidpointStep(Step[Tensor | None]):
    """A step that was taken, with its slope."""

    def __init__(self, y1: Tensor, slope: Tensor) -> None:
        self.y1, self._slope = y1, slope

    def memory(self) -> Tensor:
        """Its slope."""
        return self._slope.detach()


class ImplicitMidpoint(Stepper[Tensor | None]):
    """The implicit midpoint rule; a step begins its iteration with the slope of the one before."""

    def __init__(self, method: Method, _order: int | None = None) -> None:
        self._name = method.name

    def init(
        self, field: SolvableField, t0: float, y0: Tensor, before: Tensor | None = None
    ) -> Tensor | None:
        """The slope of the step before; no evaluation."""
        return before

    def step(
        self, field: SolvableField, t0: float, t1: float, y0: Tensor, memory: Tensor | None
    ) -> MidpointStep:
        """Find the middle, and with gradients evaluate there once more.

        Raises:
            IterationError: the iteration did not end, in the step or in its backward pass.
            ValueError: under a transform of ``torch.func``.
        """
        half, middle = (t1 - t0) / 2, (t0 + t1) / 2
        slope = torch.zeros_like(y0) if memory is None else memory

        def image(u: Tensor) -> Tensor:
            nonlocal slope
            slope = field.at(middle, u)
            return combine(y0, [half], [slope])

        failure = partial(IterationError, self._name, t0, t1 - t0)
        try:
            with torch.no_grad():
                u = fixed_point(image, combine(y0, [half], [slope]), field.resolution)
            if torch.is_grad_enabled():
                u, slope = _evaluated(field, middle, y0, u)
            slope = _ImplicitSlope.apply(slope, u, half, field.resolution, failure)
        except NoFixedPointError:
            raise failure() from None
        except RuntimeError as error:
            if not under_vmap(error) and "setup_context" not in str(error):
                raise
            raise ValueError(
                f"{self._name} iterates until its equation holds, which transforms of torch.func do"
                " not allow; use torch.autograd, or a solver such as rk4"
            ) from error
        return MidpointStep(combine(y0, [2 * half], [slope]), slope)


def _evaluated(field: SolvableField, t: float, y0: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """The middle and the field there, with their graph; the field's begins at the middle."""
    u = u + (y0 - y0.detach())
    slope = field.at(t, u)
    if slope.requires_grad and not u.requires_grad:  # the initial state is given, the field learned
        u = u.detach().requires_grad_()
        slope = field.at(t, u)
    return u, slope


class _ImplicitSlope(torch.autograd.Function):
    """The slope of a step, from that which was evaluated at its middle."""

    @staticmethod
    def forward(
        ctx: Any,
        slope: Tensor,
        u: Tensor,
        half: float,
        resolution: float,
        failure: Callable[[], IterationError],
    ) -> Tensor:
        ctx.save_for_backward(slope, u)
        ctx.half, ctx.resolution, ctx.failure = half, resolution, failure
        return slope.view_as(slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise ValueError(
                "gradients of an implicit solver cannot be differentiated again (create_graph=True"
                " asks for that); use a solver such as rk4"
            )
        slope, u = ctx.saved_tensors

        def image(w: Tensor) -> Tensor:
            (change,) = torch.autograd.grad(slope, u, w, retain_graph=True, allow_unused=True)
            return gradient if change is None else gradient + ctx.half * change

        try:
            return fixed_point(image, gradient, ctx.resolution), None, None, None, None
        except NoFixedPointError:
            raise ctx.failure() from None
