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
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from side_by_side import (
    add_compile_option,
    add_device_option,
    copy_weights,
    load_example,
    machine,
    stepper,
)
from sklearn.datasets import make_circles
from torch import Tensor, nn

from node_cli.schema.compile import Compile
from node_cli.schema.trace import TraceConfig
from node_cli.solving import SolveSpec
from node_cli.solving.spec import AdjointMode, Backend
from node_cli.tasks.densities.normalizing_flow import NormalizingFlow
from node_cli.tasks.densities.schema import HypernetworkConfig

POINTS = 512
TOLERANCE = 1e-5
END_TIME = 10.0
VARIANCE = 0.1
WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path, help="path of torchdiffeq's cnf.py")
    parser.add_argument("--steps", type=int, default=60, help="timed steps of each")
    parser.add_argument("--backend", choices=("native", "torchdiffeq"), default="native")
    parser.add_argument("--float64", action="store_true")
    add_device_option(parser)
    add_compile_option(parser)
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
        compare(arguments.example, mode, arguments.backend, arguments.compile, arguments.steps)


def compare(
    example: Path, mode: AdjointMode, backend: Backend, compiled: Compile, steps: int
) -> None:
    torch.manual_seed(0)
    theirs = load_example(example, *(["--adjoint"] if mode == "full" else []))
    field = theirs.CNF(in_out_dim=2, hidden_dim=32, width=64)
    ours = our_flow(mode, backend, compiled)
    copy_weights(field, ours)
    runs = [
        stepper(field.parameters(), their_loss(theirs, field), lr=1e-3),
        stepper(ours.parameters(), our_loss(ours), lr=1e-3),
    ]
    seconds: list[list[float]] = [[], []]
    for step in range(steps + WARM_UP):
        points, _ = make_circles(n_samples=POINTS, noise=0.06, factor=0.5, random_state=step)
        x = torch.tensor(points, dtype=torch.get_default_dtype())
        losses = []
        for run, times in zip(runs, seconds, strict=True):
            started = time.perf_counter()
            losses.append(run(x))
            times.append(time.perf_counter() - started)
    # Of the last step: at first Adam moves by the sign of the gradient, however small that is.
    difference = abs(losses[0] - losses[1])
    a, b = (times[WARM_UP:] for times in seconds)
    ratio = statistics.median(t / o for t, o in zip(a, b, strict=True))
    name = {"direct": "direct", "full": "adjoint"}.get(mode, "checkpointed (theirs: direct)")
    print(
        f"| {name} | {statistics.median(a):.4f} | {statistics.median(b):.4f} | {ratio:.2f} |"
        f" {losses[0]:.5f}, {losses[1]:.5f} | {difference:.0e} |",
        flush=True,
    )


def our_flow(mode: AdjointMode, backend: Backend, compiled: Compile) -> NormalizingFlow:
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
    spec = SolveSpec(
        rtol=TOLERANCE, atol=TOLERANCE, adjoint=mode, backend=backend, compile=compiled
    )
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
