"""What is integrated along a continuous flow: points, log-determinants and penalties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from node_cli.schema.regularization import PenaltyName
from node_cli.schema.trace import NoiseName, TraceName
from node_cli.tasks.densities.flow_field import FlowField, Moment

Direction = Literal[-1, 1]

_OF_THE_WHOLE_JACOBIAN = ("jacobian_diagonal", "jacobian_off_diagonal")


class FlowDynamics:
    r"""The field of one solve, with everything that is integrated beside the points.

    The state is ``(z, log_det, *penalties)`` of shapes ``[N, d], [N], [N], ...`` with

    .. math:: \frac{dz}{dt} = f(t, z), \qquad
              \frac{d \log\det}{dt} = \mathrm{tr} \frac{\partial f}{\partial z}

    (Chen et al. 2018, theorem 1), and each penalty grows by its integrand in the direction of the
    solve. A state of points alone is solved without a trace.

    Args:
        field: ``f``.
        trace: how the trace is computed.
        noise: of Hutchinson's estimator, of the shape of the points; one draw for the whole
            solve, so that the integrand is one function of time (Grathwohl et al. 2019).
        penalties: integrands to add, see ``penalty``.
        direction: 1 where time runs upwards, -1 where it runs downwards.
    """

    def __init__(
        self,
        field: FlowField,
        trace: TraceName,
        noise: Tensor | None,
        penalties: Sequence[PenaltyName],
        direction: Direction,
    ) -> None:
        self._field, self._noise = field, noise
        self._trace = trace
        if trace == "exact" and field.has_closed_form:
            self._trace = "closed-form"
        self._penalties = tuple(penalties)
        self._whole = any(
            name in _OF_THE_WHOLE_JACOBIAN or (name == "jacobian_norm" and trace != "hutchinson")
            for name in penalties
        )
        self._direction = direction

    @property
    def splits_time(self) -> bool:
        """Whether the field says what depends on the time alone."""
        return self._field.splits_time

    def of_times(self, t: Tensor) -> tuple[Tensor, ...]:
        """That part of the field, at times ``[S]``."""
        return self._field.of_times(t)

    def given(
        self, of_time: tuple[Tensor, ...], state: tuple[Tensor, ...] | Tensor
    ) -> tuple[Tensor, ...] | Tensor:
        """The derivative where that part is known."""
        return self(of_time, state)

    def __call__(
        self, t: Moment, state: tuple[Tensor, ...] | Tensor
    ) -> tuple[Tensor, ...] | Tensor:
        """The derivative of the state; of its shapes."""
        if isinstance(state, Tensor):
            derivative: Tensor = self._field(t, state)
            return derivative
        z = state[0]
        derivative, trace, product, jacobian = self._with_trace(t, z)
        rates = [
            self._direction * self._penalty(name, t, z, derivative, product, jacobian)
            for name in self._penalties
        ]
        return (derivative, trace, *rates)

    def _with_trace(
        self, t: Moment, z: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """The derivative, the trace, the Jacobian times the noise, and the whole Jacobian."""
        if self._whole:
            derivative, jacobian = self._field.jacobian(t, z)
            if self._noise is None:
                diagonal = jacobian.diagonal(dim1=0, dim2=2)
                return derivative, diagonal.sum(dim=-1), None, jacobian
            product = torch.einsum("inj,ni->nj", jacobian, self._noise)
            return derivative, (self._noise * product).sum(dim=-1), product, jacobian
        if self._noise is not None:
            derivative, product = self._field.jvp(t, z, self._noise)
            return derivative, (self._noise * product).sum(dim=-1), product, None
        if self._trace == "closed-form":
            return *self._field.closed_form_trace(t, z), None, None
        return *self._field.exact_trace(t, z), None, None

    def _penalty(
        self,
        name: PenaltyName,
        t: Moment,
        z: Tensor,
        derivative: Tensor,
        product: Tensor | None,
        jacobian: Tensor | None,
    ) -> Tensor:
        r"""The integrand of a penalty, ``[N]``, with :math:`J = \partial f / \partial z`.

        ``kinetic_energy`` is :math:`\|f\|^2` and ``jacobian_norm`` :math:`\|J\|_F^2`, or its
        unbiased estimate :math:`\|J \epsilon\|^2` with Hutchinson's noise (Finlay et al. 2020,
        eq. 9 and 10); ``directional_derivative`` is :math:`\|J f\|^2`; ``jacobian_diagonal`` and
        ``jacobian_off_diagonal`` are the sums of squares of those entries of J (FFJORD's code).
        """
        if name == "kinetic_energy":
            return derivative.square().sum(dim=-1)
        if name == "directional_derivative":
            if jacobian is None:
                along = self._field.jvp(t, z, derivative)[1]
            else:
                along = torch.einsum("inj,ni->nj", jacobian, derivative)
            return along.square().sum(dim=-1)
        if name == "jacobian_norm" and product is not None:
            return product.square().sum(dim=-1)
        assert jacobian is not None
        diagonal = jacobian.diagonal(dim1=0, dim2=2).square().sum(dim=-1)
        if name == "jacobian_diagonal":
            return diagonal
        everything = jacobian.square().sum(dim=(0, 2))
        return everything if name == "jacobian_norm" else everything - diagonal


def draw_noise(kind: NoiseName, like: Tensor) -> Tensor:
    """Noise of mean 0 and covariance 1, of the shape, dtype and device of ``like``.

    Drawn on the CPU in single precision, so that it is the same on every device and in every
    precision.
    """
    if kind == "rademacher":
        noise = torch.randint(2, like.shape, dtype=torch.float32).mul_(2).sub_(1)
    else:
        noise = torch.randn(like.shape, dtype=torch.float32)
    return noise.to(like)
