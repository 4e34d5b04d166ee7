"""A layer whose output is the solution of an ODE."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from node_cli.solving import SolveSpec, solve


class ODEBlock(nn.Module):
    r"""Maps ``y(0)`` to ``y(T)`` with ``dy/dt = f(t, y)``.

    With ``learn_time``, ``T = exp(log_time)`` is a parameter. The problem is then solved in
    :math:`s = t / T \in [0, 1]`, where :math:`dy/ds = T f(T s, y)`, so that the gradient of ``T``
    is that of any other parameter, in every adjoint mode and with every solver. A fixed step
    stretches along: it stays the same fraction of ``T``.
    """

    times: Tensor

    def __init__(
        self, field: nn.Module, spec: SolveSpec, end_time: float = 1.0, learn_time: bool = False
    ) -> None:
        super().__init__()
        self.field: nn.Module = TimeScaledField(field, end_time) if learn_time else field
        self.spec = spec
        # The unit of the time in which it is solved.
        self._unit = end_time if learn_time else 1.0
        self.register_buffer(
            "times", torch.tensor([0.0, 1.0 if learn_time else end_time]), persistent=False
        )

    @property
    def end_time(self) -> float:
        """The time ``T`` at which the output is read."""
        if isinstance(self.field, TimeScaledField):
            return float(self.field.log_time.detach().exp())
        return float(self.times[-1])

    def forward(self, y: Tensor) -> Tensor:
        """The state at ``T``; of the shape of ``y``, in single precision or better.

        Under autocast the layers before give half precision, in which a solver's sums of small
        increments would be lost.
        """
        y = y.to(torch.promote_types(y.dtype, torch.float32))
        spec = self.spec if self._unit == 1.0 else self.spec.in_units_of(self._unit)
        values = solve(self.field, y, self.times.to(y.dtype), spec).values
        assert isinstance(values, Tensor)
        return values[-1]


class TimeScaledField(nn.Module):
    """``T f(T s, y)``: a field in units of a learned end time."""

    def __init__(self, field: nn.Module, end_time: float) -> None:
        super().__init__()
        self.field = field
        self.log_time = nn.Parameter(torch.tensor(math.log(end_time)))

    def forward(self, s: Tensor, y: Tensor) -> Tensor:
        """The derivative ``dy/ds``; ``s`` is a scalar, the result has the shape of ``y``."""
        end_time = self.log_time.exp()
        scaled: Tensor = end_time * self.field(end_time * s, y)
        return scaled
