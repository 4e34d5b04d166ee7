r"""The work of torchode's paper: a batch of Van der Pol's oscillators of mixed stiffness.

.. math:: \ddot{x} = \mu (1 - x^2) \dot{x} - x

with one :math:`\mu` for each sample, from 0 to its largest, over about one cycle of each. A joint
step suits the sample that needs the shortest, steps of their own suit each.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torchdiffeq
from side_by_side import Work
from torch import Tensor

from node_cli.solving import SolveSpec, solve

OUTPUTS = 200


def field_of(mu: Tensor) -> Any:
    """The field of states ``[batch, 2]`` for ``mu`` of shape ``[batch]``."""

    def field(t: Tensor, y: Tensor) -> Tensor:
        x, v = y.unbind(-1)
        return torch.stack((v, mu * (1 - x * x) * v - x), dim=-1)

    return field


def cycle(mu: float) -> float:
    """About the period, from its expansions for small and for large ``mu``."""
    return max(2 * math.pi, (3 - 2 * math.log(2)) * mu + 2 * math.pi / max(mu, 1.0) ** (1 / 3))


def solving(
    batch: int = 256,
    largest_mu: float = 5.0,
    tolerance: float = 1e-5,
    device: str = "cpu",
    **further: Any,
) -> Work:
    """Solves from a new start in each turn; ``further`` are settings of ours."""
    mu = torch.linspace(0.0, largest_mu, batch, device=device)
    times = torch.linspace(0.0, cycle(largest_mu), OUTPUTS, device=device)
    tolerances = {"rtol": tolerance, "atol": tolerance}
    spec = SolveSpec(**tolerances, **further)
    field = field_of(mu)

    def start(number: int) -> Tensor:
        draw = torch.Generator().manual_seed(number)
        return 2 * torch.randn((batch, 2), generator=draw).to(device)

    @torch.no_grad()
    def ours(number: int) -> float:
        values = solve(field, start(number), times, spec).values
        assert isinstance(values, Tensor)
        return values.square().mean().item()

    @torch.no_grad()
    def theirs(number: int) -> float:
        values = torchdiffeq.odeint(field, start(number), times, method="dopri5", **tolerances)
        return values.square().mean().item()

    def shared(turns: int) -> dict[str, np.ndarray]:
        starts = np.stack([start(number).cpu().numpy() for number in range(turns)])
        return {"mu": mu.cpu().numpy(), "times": times.cpu().numpy(), "starts": starts}

    return Work(
        "van-der-pol",
        {"batch": batch, "largest_mu": largest_mu, "tolerance": tolerance},
        {"ours": ours, "torchdiffeq": theirs},
        shared,
    )
