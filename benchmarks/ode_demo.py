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
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from side_by_side import add_compile_option, add_device_option, load_example, machine
from torch import Tensor, nn

from node_cli.schema.compile import Compile
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
    add_compile_option(parser)
    arguments = parser.parse_args()
    print(f"{machine(arguments.device)}, 20 windows of 10 points")
    print(
        "| tolerances | gradients | theirs, s/step | ours, s/step | theirs / ours | last losses |"
    )
    print("|---|---|---|---|---|---|")
    modes: tuple[AdjointMode, ...] = ("direct", "full")
    for name in TOLERANCES:
        for mode in modes:
            compare(
                arguments.example,
                mode,
                name,
                arguments.steps,
                arguments.device,
                arguments.compile,
            )


def compare(
    path: Path, mode: AdjointMode, tolerances: str, steps: int, device: str, compiled: Compile
) -> None:
    rtol, atol = TOLERANCES[tolerances]
    example = load_example(path, *(["--adjoint"] if mode == "full" else []))
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    field = example.ODEFunc().to(device)
    spec = SolveSpec(rtol=rtol, atol=atol, adjoint=mode, compile=compiled)
    ours = DynamicsModel(copy.deepcopy(field), None, 2, False, spec)

    def their_loss(first: Tensor, t: Tensor, states: Tensor) -> Tensor:
        predicted = example.odeint(field, first, t, rtol=rtol, atol=atol)
        return (predicted - states).abs().mean()

    def our_loss(first: Tensor, t: Tensor, states: Tensor) -> Tensor:
        elapsed = t.expand(len(first), -1)
        predicted = ours(first, elapsed[:, 0], elapsed)
        return (predicted - states.transpose(0, 1)).abs().mean()

    runs = [iteration(field, their_loss), iteration(ours, our_loss)]
    seconds: list[list[float]] = [[], []]
    losses: list[float] = []
    for _ in range(steps + WARM_UP):
        first, t, states = example.get_batch()
        batch = tuple(part.to(device) for part in (first[:, 0], t, states[:, :, 0]))
        losses = []
        for run, spent in zip(runs, seconds, strict=True):
            started = time.perf_counter()
            losses.append(run(*batch))
            spent.append(time.perf_counter() - started)
    a, b = (spent[WARM_UP:] for spent in seconds)
    ratio = statistics.median(x / y for x, y in zip(a, b, strict=True))
    print(
        f"| {tolerances}: {rtol:g}, {atol:g} | {'adjoint' if mode == 'full' else mode} |"
        f" {statistics.median(a):.4f} | {statistics.median(b):.4f} | {ratio:.2f} |"
        f" {losses[0]:.6f}, {losses[1]:.6f} |",
        flush=True,
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
