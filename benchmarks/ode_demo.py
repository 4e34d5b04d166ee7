"""An iteration of ours beside one of torchdiffeq's ode_demo.py, on the same work.

Usage:
    git clone https://github.com/rtqichen/torchdiffeq
    python benchmarks/ode_demo.py torchdiffeq/examples/ode_demo.py

20 windows of 10 of the 1,000 points of the example's spiral; its network, with the same weights,
windows, loss and optimizer, in turns. ``default`` are torchdiffeq's tolerances (1e-7, 1e-9),
``ours`` those of ``tolerance=typical`` (1e-3, 1e-4), for both.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from side_by_side import (
    Work,
    add_device_option,
    load_example,
    machine,
    ratio,
    take_turns,
    timed,
    weights_of,
)
from torch import Tensor, nn

from node_cli.solving import SolveSpec
from node_cli.solving.spec import AdjointMode
from node_cli.tasks.dynamics.model import DynamicsModel

TOLERANCES = {"default": (1e-7, 1e-9), "ours": (1e-3, 1e-4)}
WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path, help="path of torchdiffeq's ode_demo.py")
    parser.add_argument("--steps", type=int, default=100, help="timed iterations of each")
    add_device_option(parser)
    arguments = parser.parse_args()
    print(f"{machine(arguments.device)}, 20 windows of 10 points")
    print(
        "| tolerances | gradients | theirs, s/step | ours, s/step | theirs / ours | last losses |"
    )
    print("|---|---|---|---|---|---|")
    modes: tuple[AdjointMode, ...] = ("direct", "full")
    for name in TOLERANCES:
        for mode in modes:
            compare(arguments.example, mode, name, arguments.steps, arguments.device)


def compare(path: Path, mode: AdjointMode, tolerances: str, steps: int, device: str) -> None:
    work = training(path, mode, tolerances, device)
    found = take_turns({name: timed(step) for name, step in work.steps.items()}, steps, WARM_UP)
    theirs, ours = found["torchdiffeq"], found["ours"]
    rtol, atol = TOLERANCES[tolerances]
    print(
        f"| {tolerances}: {rtol:g}, {atol:g} | {'adjoint' if mode == 'full' else mode} |"
        f" {theirs.median:.4f} | {ours.median:.4f} | {ratio(theirs, ours):.2f} |"
        f" {theirs.values[-1]:.6f}, {ours.values[-1]:.6f} |",
        flush=True,
    )


def training(
    path: Path, mode: AdjointMode, tolerances: str, device: str = "cpu", **further: Any
) -> Work:
    """Iterations of training; ``further`` are settings of our solves."""
    rtol, atol = TOLERANCES[tolerances]
    # Theirs knows one adjoint.
    example = load_example(path, *(["--adjoint"] if mode in ("full", "seminorm") else []))
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    field = example.ODEFunc().to(device)
    weights = weights_of(field.parameters())
    spec = SolveSpec(rtol=rtol, atol=atol, adjoint=mode, **further)
    ours = DynamicsModel(copy.deepcopy(field), None, 2, False, spec)
    drawn: list[tuple[Tensor, Tensor, Tensor]] = []

    def batch(number: int) -> tuple[Tensor, Tensor, Tensor]:
        while number >= len(drawn):
            first, t, states = example.get_batch()
            drawn.append((first[:, 0].to(device), t.to(device), states[:, :, 0].to(device)))
        return drawn[number]

    def their_loss(first: Tensor, t: Tensor, states: Tensor) -> Tensor:
        predicted = example.odeint(field, first, t, rtol=rtol, atol=atol)
        return (predicted - states).abs().mean()

    def our_loss(first: Tensor, t: Tensor, states: Tensor) -> Tensor:
        elapsed = t.expand(len(first), -1)
        predicted = ours(first, elapsed[:, 0], elapsed)
        return (predicted - states.transpose(0, 1)).abs().mean()

    def shared(turns: int) -> dict[str, np.ndarray]:
        columns = zip(*(batch(number) for number in range(turns)), strict=True)
        first, t, states = (np.stack([part.cpu().numpy() for part in c]) for c in columns)
        return weights | {"first": first, "times": t[0], "states": states}

    our_step, their_step = iteration(ours, our_loss), iteration(field, their_loss)
    return Work(
        "dynamics",
        {"adjoint": mode, "rtol": rtol, "atol": atol, "lr": 1e-3},
        {
            "ours": lambda number: our_step(*batch(number)),
            "torchdiffeq": lambda number: their_step(*batch(number)),
        },
        shared,
    )


def iteration(
    model: nn.Module, loss_of: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Callable[[Tensor, Tensor, Tensor], float]:
    """A step of RMSprop, as the example takes it; returns the loss."""
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

    def step(*batch: Tensor) -> float:
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
