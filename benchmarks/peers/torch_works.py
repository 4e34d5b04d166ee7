"""The works that torch's other libraries take part in, for any function that solves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Arrays = dict[str, np.ndarray]
Step = Callable[[int], float]
Field = Callable[[Tensor, Tensor], Tensor]
# (field, y0 of shape [batch, n], times of shape [T], settings) -> states of shape [T, batch, n]
Solve = Callable[[Field, Tensor, Tensor, dict[str, Any]], Tensor]


class Demo(nn.Module):
    """The field of ode_demo.py."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 50), nn.Tanh(), nn.Linear(50, 2))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return self.net(y**3)


class Plain(nn.Module):
    """The field of plain_solve.py."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.A, self.B = (nn.Parameter(torch.empty(size, size)) for _ in range(2))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return torch.tanh(y @ self.A) @ self.B


def with_weights(field: nn.Module, given: Arrays, device: str) -> nn.Module:
    with torch.no_grad():
        for i, parameter in enumerate(field.parameters()):
            parameter.copy_(torch.tensor(given[f"weights/{i}"]))
    return field.to(device)


def dynamics(solve: Solve, settings: dict[str, Any], given: Arrays, device: str) -> Step:
    field = with_weights(Demo(), given, device)
    first, t, states = (torch.tensor(given[k], device=device) for k in ("first", "times", "states"))
    optimizer = torch.optim.RMSprop(field.parameters(), lr=settings["lr"])

    def step(number: int) -> float:
        optimizer.zero_grad()
        loss = (solve(field, first[number], t, settings) - states[number]).abs().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def plain(solve: Solve, settings: dict[str, Any], given: Arrays, device: str) -> Step:
    field = with_weights(Plain(settings["dimension"]), given, device)
    starts = torch.tensor(given["starts"], device=device)
    t = torch.tensor([0.0, settings["T"]], device=device)
    asked = {"rtol": settings["tolerance"], "atol": settings["tolerance"], "adjoint": "direct"}

    def step(number: int) -> float:
        with torch.set_grad_enabled(settings["gradient"]):
            value = solve(field, starts[number], t, asked)[-1].square().mean()
            if settings["gradient"]:
                value.backward()
                field.zero_grad()
        return value.item()

    return step


def van_der_pol(solve: Solve, settings: dict[str, Any], given: Arrays, device: str) -> Step:
    mu, t, starts = (torch.tensor(given[k], device=device) for k in ("mu", "times", "starts"))
    asked = {"rtol": settings["tolerance"], "atol": settings["tolerance"], "adjoint": "direct"}

    def field(t: Tensor, y: Tensor) -> Tensor:
        x, v = y.unbind(-1)
        return torch.stack((v, mu * (1 - x * x) * v - x), dim=-1)

    @torch.no_grad()
    def step(number: int) -> float:
        return solve(field, starts[number], t, asked).square().mean().item()

    return step
