"""A training step of ours beside one of torchdiffeq's cnf.py, on the same work.

Usage:
    git clone https://github.com/rtqichen/torchdiffeq
    python benchmarks/cnf_2d.py torchdiffeq/examples/cnf.py

Both start from the same weights and take the same batches of 512 points in turn, with the same
optimizer, dopri5 at 1e-5 and time from 10 to 0, so the two loss curves are to be the same and the
ratio of the times is that of the code. ``--backend torchdiffeq`` gives both the same solver, and
``--float64`` the precision in which rounding cannot set the curves apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from side_by_side import (
    Work,
    add_device_option,
    copy_weights,
    load_example,
    machine,
    ratio,
    stepper,
    take_turns,
    timed,
    weights_of,
)
from sklearn.datasets import make_circles
from torch import Tensor, nn

from node_cli.schema.trace import TraceConfig
from node_cli.solving import SolveSpec
from node_cli.solving.spec import AdjointMode, Backend
from node_cli.tasks.densities.normalizing_flow import NormalizingFlow
from node_cli.tasks.densities.schema import HypernetworkConfig

POINTS = 512
TOLERANCE = 1e-5
END_TIME = 10.0
VARIANCE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path, help="path of torchdiffeq's cnf.py")
    parser.add_argument("--steps", type=int, default=60, help="timed steps of each")
    parser.add_argument("--backend", choices=("native", "torchdiffeq"), default="native")
    parser.add_argument("--float64", action="store_true")
    add_device_option(parser)
    arguments = parser.parse_args()
    torch.set_default_device(arguments.device)  # of all tensors that both sides make
    torch.set_default_dtype(torch.float64 if arguments.float64 else torch.float32)

    print(f"{machine(arguments.device)}, {POINTS} points")
    print(
        "| gradients | theirs, s/step | ours, s/step | theirs / ours | last losses | difference |"
    )
    print("|---|---|---|---|---|---|")
    modes: tuple[AdjointMode, ...] = ("direct", "full", "checkpointed")
    for mode in modes:
        if mode == "checkpointed" and arguments.backend == "torchdiffeq":
            continue
        compare(arguments.example, mode, arguments.backend, arguments.steps)


def compare(example: Path, mode: AdjointMode, backend: Backend, steps: int) -> None:
    found = take_turns(
        {
            name: timed(step)
            for name, step in training(example, mode, backend=backend).steps.items()
        },
        steps,
    )
    theirs, ours = found["torchdiffeq"], found["ours"]
    # Of the last step: at first Adam moves by the sign of the gradient, however small that is.
    losses = theirs.values[-1], ours.values[-1]
    name = {"direct": "direct", "full": "adjoint"}.get(mode, "checkpointed (theirs: direct)")
    print(
        f"| {name} | {theirs.median:.4f} | {ours.median:.4f} | {ratio(theirs, ours):.2f} |"
        f" {losses[0]:.5f}, {losses[1]:.5f} | {abs(losses[0] - losses[1]):.0e} |",
        flush=True,
    )


def training(example: Path, mode: AdjointMode, backend: Backend = "native", **ours: Any) -> Work:
    """Steps of training; ``ours`` are further settings of our solves."""
    torch.manual_seed(0)
    theirs = load_example(example, *(["--adjoint"] if mode == "full" else []))
    field = theirs.CNF(in_out_dim=2, hidden_dim=32, width=64)
    flow = our_flow(mode, backend, **ours)
    copy_weights(field, flow)
    weights = weights_of(flow.parameters())
    their_step = stepper(field.parameters(), their_loss(theirs, field), lr=1e-3)
    fused = ours.get("compile") == "step"  # as in training
    our_step = stepper(flow.parameters(), our_loss(flow), lr=1e-3, fused=fused)
    return Work(
        "cnf-2d",
        {"adjoint": mode, "rtol": TOLERANCE, "atol": TOLERANCE, "T": END_TIME, "lr": 1e-3},
        {
            "ours": lambda number: our_step(points(number)),
            "torchdiffeq": lambda number: their_step(points(number)),
        },
        lambda turns: weights | {"points": np.stack([circles(i) for i in range(turns)])},
        {"ours": flow},
    )


def circles(number: int) -> np.ndarray:
    """The batch of a turn, ``[POINTS, 2]``."""
    drawn, _ = make_circles(n_samples=POINTS, noise=0.06, factor=0.5, random_state=number)
    return drawn


def points(number: int) -> Tensor:
    return torch.tensor(circles(number), dtype=torch.get_default_dtype())


def our_flow(mode: AdjointMode, backend: Backend, **further: Any) -> NormalizingFlow:
    config = HypernetworkConfig(
        name="hypernetwork",
        width=64,
        hidden=32,
        flows=1,
        T=END_TIME,
        learn_time=False,
        reverse=False,
        batch_norm=False,
        base_covariance=VARIANCE,
    )
    trace = TraceConfig(name="closed-form", noise="rademacher", evaluation="exact")
    spec = SolveSpec(rtol=TOLERANCE, atol=TOLERANCE, adjoint=mode, backend=backend, **further)
    return NormalizingFlow(config, 2, spec, trace).to(torch.get_default_dtype())


def their_loss(example: ModuleType, field: nn.Module) -> Callable[[Tensor], Tensor]:
    """What the example's script does in an iteration."""
    base = torch.distributions.MultivariateNormal(torch.zeros(2), VARIANCE * torch.eye(2))

    def loss(x: Tensor) -> Tensor:
        points, log_density = example.odeint(
            field,
            (x, torch.zeros(len(x), 1)),
            torch.tensor([END_TIME, 0.0]),
            atol=TOLERANCE,
            rtol=TOLERANCE,
            method="dopri5",
        )
        return -(base.log_prob(points[-1]) - log_density[-1].view(-1)).mean()

    return loss


def our_loss(flow: NormalizingFlow) -> Callable[[Tensor], Tensor]:
    return lambda x: -flow(x).log_density.mean()


if __name__ == "__main__":
    main()
