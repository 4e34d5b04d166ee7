"""Learn how a damped pendulum moves, from noisy observations of its swings.

    node-train --plugin example.py task=example
    node-train --plugin example.py task=example solver=dopri5 adjoint=full
    node-train --plugin example.py -m task=example data.points=50,100 tolerance.rtol=1e-2,1e-3
    node-train --plugin example.py --help

The names that are imported from node_cli.plugin are documented there.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

import node_cli
from node_cli.plugin import (
    BestMetric,
    Count,
    DataSettings,
    Loaders,
    ModelSettings,
    NonNegative,
    OdeSolve,
    SolveSpec,
    Task,
    new_figure,
    random_stream,
)


# The settings: each has a kind of values (Count: an integer from 1 on), a default and a line of
# help. They are set as any other: model.hidden=64 data.points=50,100.
class ExampleNet(ModelSettings):
    """A perceptron as the vector field of angle and velocity."""

    name: Literal["example-net"] = "example-net"
    hidden: Count = 32
    """Units in each of two hidden layers."""


class ExampleData(DataSettings):
    """Swings of a damped pendulum, observed with noise."""

    name: Literal["example-data"] = "example-data"
    swings: Count = 256
    """For training; as many for validation, and for the test."""
    points: Count = 50
    """Observations along each swing."""
    noise: NonNegative = 0.05
    """Standard deviation of an observation."""
    batch_size: Count = 32
    """Swings in a training batch."""
    eval_batch_size: Count = 256
    """Swings in a batch of validation or test."""


class Field(nn.Module):
    """The vector field f(t, y) of the state y = (angle, velocity)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 2),
        )

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """dy/dt, of the shape and dtype of y, [B, 2]; t is a scalar tensor."""
        return self.net(y)


class Trajectories(nn.Module):
    """Carries the state at the first time to all times."""

    def __init__(self, field: nn.Module, spec: SolveSpec) -> None:
        super().__init__()
        self.field = field
        self.solve = OdeSolve(spec)  # by the run's solver, tolerances and adjoint mode

    def forward(self, start: Tensor, times: Tensor) -> Tensor:
        """States [B, 2] at time 0, and times [P] from 0 on, to states [B, P, 2]."""
        return self.solve(self.field, start, times).transpose(0, 1)


class Example(Task):
    """Learn how a damped pendulum moves."""

    name = "example"
    models = (ExampleNet,)
    data = (ExampleData,)
    defaults = {"optimizer": "adam", "optimizer.lr": 0.01, "trainer.max_epochs": 20}
    best = BestMetric("mae", "min", "mean absolute error")

    def build_model(self) -> nn.Module:
        """A new model, on the CPU; self.config has all settings of the run."""
        return Trajectories(Field(self.config.model.hidden), self.spec)

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of (first states [B, 2], times [B, P], observed states [B, P, 2])."""
        data, seed = self.config.data, self.config.seed
        train, validation, test = (
            swings(data.swings, data.points, data.noise, random_stream(seed, number))
            for number in range(3)
        )
        return self.in_batches(train, validation, test, device)

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch, a scalar, and what is logged beside it."""
        start, times, observed = batch
        error = model(start, times[0]) - observed
        return error.square().mean(), {"mae": error.detach().abs().mean()}

    def figures(self, model, data, history) -> dict:
        """Drawn from the validation set; the curves over epochs come from Task."""
        start, times, observed = next(iter(data))
        predicted = model(start, times[0])
        figure = new_figure(6.0, 4.0)
        axis = figure.subplots()
        for number, colour in zip(range(min(3, len(start))), ("C0", "C1", "C2"), strict=False):
            t = times[number].cpu()
            axis.plot(t, observed[number, :, 0].cpu(), ".", color=colour, alpha=0.5)
            axis.plot(t, predicted[number, :, 0].cpu(), color=colour)
        axis.set_xlabel("time, s")
        axis.set_ylabel("angle, rad")
        axis.set_title(f"{self.data_label}: observed (points) and predicted (lines)")
        return {"swings": figure, **self.curves(history)}


def swings(
    count: int, points: int, noise: float, stream: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """First states [N, 2], times [N, P] and observed states [N, P, 2] of N swings."""

    def pendulum(t: Tensor, y: Tensor) -> Tensor:
        angle, velocity = y.unbind(dim=-1)
        return torch.stack((velocity, -2.0 * torch.sin(angle) - 0.2 * velocity), dim=-1)

    start = torch.empty(count, 2).uniform_(-1.5, 1.5, generator=stream)
    times = torch.linspace(0.0, 6.0, points)
    with torch.no_grad():
        true = node_cli.solve(pendulum, start, times, rtol=1e-6, atol=1e-6).values
    observed = true + noise * torch.randn(true.shape, generator=stream)
    return start, times.expand(count, -1), observed.transpose(0, 1)
