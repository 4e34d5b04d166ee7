"""A training step of ours beside one of torchdiffeq's MNIST example, on the same work.

Usage:
    git clone https://github.com/rtqichen/torchdiffeq
    python benchmarks/mnist_odenet.py torchdiffeq/examples/odenet_mnist.py

Both start from the same weights, take the same batches in turn, and use the same solver and
tolerances, and the ratio of their times is that of the code. Their losses agree at first and then
drift a little: the example also differentiates the choice of its first step.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from side_by_side import add_compile_option, add_device_option, copy_weights, load_example, machine
from torch import Tensor, nn
from torch.nn import functional

from node_cli.schema.compile import Compile
from node_cli.solving import SolveSpec
from node_cli.solving.spec import AdjointMode
from node_cli.tasks.images.batches import TrainBatches
from node_cli.tasks.images.classifier import ImageClassifier
from node_cli.tasks.images.mnist import load_mini
from node_cli.tasks.images.schema import OdeNetConfig, ResNetConfig

TOLERANCE = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path, help="path of torchdiffeq's odenet_mnist.py")
    parser.add_argument("--steps", type=int, default=15, help="timed steps of each")
    parser.add_argument("--batch-size", type=int, default=128)
    add_device_option(parser)
    add_compile_option(parser)
    arguments = parser.parse_args()

    images = load_mini(validation=500).train
    data = TrainBatches(images, arguments.batch_size, True, 0, torch.device(arguments.device))
    print(f"{machine(arguments.device)}, batch {arguments.batch_size}")
    print("| model | theirs, s/step | ours, s/step | ours / theirs | largest loss difference |")
    print("|---|---|---|---|---|")
    for name, network, mode in (
        ("ODE-Net, direct", "odenet", "direct"),
        ("ODE-Net, adjoint", "odenet", "full"),
        ("ODE-Net, checkpointed (theirs: direct)", "odenet", "checkpointed"),
        ("ResNet", "resnet", "direct"),
    ):
        theirs = their_model(arguments.example, network, adjoint=mode == "full")
        ours = our_model(network, mode, arguments.compile)
        copy_weights(theirs, ours)
        for model in (theirs, ours):
            model.to(arguments.device)
        runs = [stepper(theirs), stepper(ours)]
        seconds: list[list[float]] = [[], []]
        difference = 0.0
        for step in range(arguments.steps + 2):
            x, y = data.batch(0, step % len(data))
            losses = []
            for run, times in zip(runs, seconds, strict=True):
                started = time.perf_counter()
                losses.append(run(x, y))
                times.append(time.perf_counter() - started)
            difference = max(difference, abs(losses[0] - losses[1]))
        # The first two steps warm caches and allocators up.
        a, b = (statistics.median(times[2:]) for times in seconds)
        ratio = statistics.median(
            o / t for t, o in zip(seconds[0][2:], seconds[1][2:], strict=True)
        )
        print(f"| {name} | {a:.3f} | {b:.3f} | {ratio:.2f} | {difference:.1e} |", flush=True)


def their_model(example: Path, network: str, adjoint: bool) -> nn.Module:
    """The example's network; the file reads its settings from ``sys.argv`` when it is imported."""
    theirs = load_example(
        example, "--network", network, "--adjoint", str(adjoint), "--tol", str(TOLERANCE)
    )
    channels = 64
    stem = [
        nn.Conv2d(1, channels, 3, 1),
        theirs.norm(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 4, 2, 1),
        theirs.norm(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 4, 2, 1),
    ]
    depth = (
        [theirs.ODEBlock(theirs.ODEfunc(channels))]
        if network == "odenet"
        else [theirs.ResBlock(channels, channels) for _ in range(6)]
    )
    head = [
        theirs.norm(channels),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d((1, 1)),
        theirs.Flatten(),
        nn.Linear(channels, 10),
    ]
    return nn.Sequential(*stem, *depth, *head)


def our_model(network: str, mode: AdjointMode, compiled: Compile) -> nn.Module:
    if network == "resnet":
        config = ResNetConfig(name="resnet", stem="conv", channels=64, blocks=6)
    else:
        config = OdeNetConfig(name="odenet", stem="conv", channels=64, T=1.0, learn_time=False)
    spec = SolveSpec(rtol=TOLERANCE, atol=TOLERANCE, adjoint=mode, compile=compiled)
    return ImageClassifier(config, spec)


def stepper(model: nn.Module) -> Callable[[Tensor, Tensor], float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
