"""A plain solve, with or without the gradient of its weights, of any batch and dimension.

dy/dt = tanh(y A) B with A and B of shape ``[dimension, dimension]``: as a field of one hidden
layer, whose cost is that of two products. The compared value is the mean square of y(T).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torchdiffeq
from side_by_side import Step, Work, weights_of
from torch import Tensor, nn

from node_cli.solving import SolveSpec, solve


@dataclass(frozen=True)
class Problem:
    """What is solved: its size, its interval and its tolerance, relative and absolute."""

    batch: int = 256
    dimension: int = 16
    tolerance: float = 1e-5
    T: float = 4.0


class Field(nn.Module):
    """tanh(y A) B; ``weights`` are A and B."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        super().__init__()
        self.A, self.B = (nn.Parameter(weight.clone()) for weight in weights)

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return torch.tanh(y @ self.A) @ self.B


def solving(problem: Problem, gradient: bool, device: str = "cpu", **further: Any) -> Work:
    """Solves of one problem, from another start in each turn; ``further`` are settings of ours."""
    draw = torch.Generator().manual_seed(0)
    shape = (problem.dimension, problem.dimension)
    scale = 1.5 / problem.dimension**0.5
    weights = [scale * torch.randn(shape, generator=draw) for _ in range(2)]
    tolerances = {"rtol": problem.tolerance, "atol": problem.tolerance}
    spec = SolveSpec(**tolerances, **further)
    times = torch.tensor([0.0, problem.T], device=device)

    def start(number: int) -> Tensor:
        draw = torch.Generator().manual_seed(number)
        return torch.randn((problem.batch, problem.dimension), generator=draw).to(device)

    def step(end: Callable[[Field, Tensor], Tensor]) -> Step:
        field = Field(weights).to(device)

        def run(number: int) -> float:
            with torch.set_grad_enabled(gradient):
                value = end(field, start(number)).square().mean()
                if gradient:
                    value.backward()
                    field.zero_grad()
            return value.item()

        return run

    def ours(field: Field, y0: Tensor) -> Tensor:
        values = solve(field, y0, times, spec).values
        assert isinstance(values, Tensor)
        return values[-1]

    def shared(turns: int) -> dict[str, np.ndarray]:
        starts = np.stack([start(number).cpu().numpy() for number in range(turns)])
        return weights_of(weights) | {"starts": starts}

    def theirs(field: Field, y0: Tensor) -> Tensor:
        return torchdiffeq.odeint(field, y0, times, method="dopri5", **tolerances)[-1]

    return Work(
        "solve",
        asdict(problem) | {"gradient": gradient},
        {"ours": step(ours), "torchdiffeq": step(theirs)},
        shared,
    )
