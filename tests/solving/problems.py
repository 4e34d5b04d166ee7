"""Initial value problems with closed solutions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Problem:
    """``dy/dt = field(t, y)`` with the solution ``exact(y0, t0, t)``."""

    name: str
    field: Callable
    exact: Callable
    y0: torch.Tensor


def _rotation(y0, t0, t):
    angle = t - t0
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos * y0[0] + sin * y0[1], cos * y0[1] - sin * y0[0]])


PROBLEMS = [
    Problem(
        "constant",
        lambda t, y: torch.full_like(y, 0.7),
        lambda y0, t0, t: y0 + 0.7 * (t - t0),
        torch.tensor([1.0, -2.0], dtype=torch.float64),
    ),
    Problem(
        "linear",
        lambda t, y: -0.5 * y,
        lambda y0, t0, t: y0 * torch.exp(-0.5 * (t - t0)),
        torch.tensor([1.0, -2.0], dtype=torch.float64),
    ),
    Problem(
        "sine",
        lambda t, y: torch.stack([y[1], -y[0]]),
        _rotation,
        torch.tensor([1.0, 0.5], dtype=torch.float64),
    ),
    Problem(
        "stiff-ish",
        lambda t, y: -25.0 * (y - torch.cos(t)) - torch.sin(t),
        lambda y0, t0, t: torch.cos(t) + (y0 - torch.cos(t0)) * torch.exp(-25.0 * (t - t0)),
        torch.tensor([1.2, 1.0], dtype=torch.float64),
    ),
]


class Linear(nn.Module):
    """dy/dt = A y, counting for itself how often it is asked."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[-0.3, 1.2], [-1.2, -0.3]], dtype=dtype))
        self.calls = 0

    def forward(self, t, y):
        self.calls += 1
        return y @ self.matrix.T


class Network(nn.Module):
    """A small smooth field that depends on the time."""

    def __init__(self, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).to(dtype)
        self.calls = 0

    def forward(self, t, y):
        self.calls += 1
        return self.layers(torch.cat([y, t.expand(len(y), 1)], dim=1))
