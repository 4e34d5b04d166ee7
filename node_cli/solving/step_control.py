"""The choice of step sizes from error estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from node_cli.solving.failures import StepsError
from node_cli.solving.host_numbers import read
from node_cli.solving.state import Norm
from node_cli.solving.told_time import at_time, told_length

# What is said, with the remedy, where steps are too small or too many.
UNDERFLOW = (
    "its step size fell to zero, as it also does where the vector field is not finite",
    "try a looser tolerance or another solver",
)
TOO_MANY = (
    "it took more steps than solver.max_steps{limit} allows",
    "raise that limit or loosen the tolerance",
)

_SAFETY = 0.9
_LARGEST_SHRINK = 0.2
_LARGEST_GROWTH = 10.0
# A step of this share of the time is lost in rounding.
ROUNDING = 1e-15


def next_length(step: Tensor, ratio: Tensor, order: int) -> Tensor:
    """As ``StepControl.next_step``, of a tensor of 64 bits and a ratio that may be anything."""
    shrunk = torch.full_like(ratio, _LARGEST_SHRINK)
    smallest = torch.where(ratio < 1.0, torch.ones_like(ratio), shrunk)
    safe = torch.full_like(ratio, _SAFETY) / ratio ** (1.0 / order)
    factor = torch.maximum(safe, smallest).clamp(max=_LARGEST_GROWTH)
    return step * torch.where(ratio < float("inf"), factor, shrunk)


@dataclass(frozen=True)
class StepControl:
    r"""Accepts and sizes steps as in Hairer, Norsett and Wanner, Solving ODEs I, section II.4.

    The error ratio of a step from :math:`y_0` to :math:`y_1` with error estimate :math:`e` is
    :math:`\| e / (atol + rtol \max(|y_0|, |y_1|)) \|`; a step is accepted where it is at most 1.

    Attributes:
        method: the solver's name, for messages.
        rtol: relative error allowed in one step.
        atol: absolute error allowed in one step, in the units of the state.
        norm: of the scaled error.
        min_step: a step below it ends the solve, in units of ``t``; None: only underflow does.
        max_steps: attempts, rejected ones included, in one solve; None: no limit.
    """

    method: str
    rtol: float
    atol: float
    norm: Norm
    min_step: float | None = None
    max_steps: int | None = None

    def error_ratio(self, error: Tensor, y0: Tensor, y1: Tensor) -> float:
        """The error ratio of a step; NaN or infinite where the step left the finite numbers."""
        (ratio,) = self.error_ratios([error], y0, y1)
        return ratio

    def error_ratios(self, errors: Sequence[Tensor], y0: Tensor, y1: Tensor) -> list[float]:
        """Likewise of several errors, which are read from the device at once."""
        allowed = self.allowed(torch.maximum(y0.abs(), y1.abs()))
        return read([self.norm(error / allowed) for error in errors])

    def next_step(self, step: float, ratio: float, order: int) -> float:
        """The step to try after one of length ``step`` and order ``order``, both positive."""
        if not ratio < float("inf"):
            return step * _LARGEST_SHRINK
        if ratio == 0.0:
            return step * _LARGEST_GROWTH
        smallest = 1.0 if ratio < 1.0 else _LARGEST_SHRINK
        factor: float = max(_SAFETY / ratio ** (1.0 / order), smallest)
        return step * min(factor, _LARGEST_GROWTH)

    def allowed(self, size: Tensor) -> Tensor:
        """The error allowed for a size of the state; never zero, also where ``atol`` is."""
        return size.mul_(self.rtol).add_(self.atol).clamp_(min=torch.finfo(size.dtype).tiny)

    def check_attempt(
        self, t: float, step: float, attempts: int, span: float, dtype: torch.dtype
    ) -> None:
        """Refuse an attempt that cannot succeed.

        Args:
            t: where the step starts.
            step: its length.
            attempts: made so far.
            span: the length of the whole interval.
            dtype: of the state.

        Raises:
            StepsError: the step is too small, or there were too many.
        """
        if self.max_steps is not None and attempts >= self.max_steps:
            cause, remedy = TOO_MANY
            cause = cause.format(limit=f"={self.max_steps}")
            if self.atol == 0.0:
                cause += "; an atol of 0 allows no error where a part of the state is near zero"
        elif self.min_step is not None and step < self.min_step:
            smallest = told_length(self.min_step, digits=6)
            cause = f"the tolerance asks for a step below solver.min_step={smallest}"
            remedy = "lower that limit or loosen the tolerance"
        elif not step > ROUNDING * max(abs(t), span):
            cause, remedy = UNDERFLOW
        else:
            return
        raise StepsError(
            f"{self.method} stopped at {at_time(t)} with a step of {told_length(step)}: {cause}",
            dtype,
            remedy,
        )
