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
from collections.abc import Callable
from pathlib import Path
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
    take_turns,
    timed,
    weights_of,
)
from torch import Tensor, nn
from torch.nn import functional

from node_cli.solving import SolveSpec
from node_cli.solving.spec import AdjointMode
from node_cli.tasks.images.batches import TrainBatches
from node_cli.tasks.images.classifier import ImageClassifier
from node_cli.tasks.images.mnist import load_mini
from node_cli.tasks.images.schema import OdeNetConfig, ResNetConfig

TOLERANCE = 1e-3
LEARNING_RATE = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path, help="path of torchdiffeq's odenet_mnist.py")
    parser.add_argument("--steps", type=int, default=15, help="timed steps of each")
    parser.add_argument("--batch-size", type=int, default=128)
    add_device_option(parser)
    arguments = parser.parse_args()

    print(f"{machine(arguments.device)}, batch {arguments.batch_size}")
    print("| model | theirs, s/step | ours, s/step | ours / theirs | largest loss difference |")
    print("|---|---|---|---|---|")
    for name, network, mode in (
        ("ODE-Net, direct", "odenet", "direct"),
        ("ODE-Net, adjoint", "odenet", "full"),
        ("ODE-Net, checkpointed (theirs: direct)", "odenet", "checkpointed"),
        ("ResNet", "resnet", "direct"),
    ):
        work = training(arguments.example, mode, network, arguments.batch_size, arguments.device)
        found = take_turns(
            {name: timed(step) for name, step in work.steps.items()}, arguments.steps
        )
        theirs, ours = found["torchdiffeq"], found["ours"]
        difference = max(abs(a - b) for a, b in zip(theirs.values, ours.values, strict=True))
        print(
            f"| {name} | {theirs.median:.3f} | {ours.median:.3f} | {ratio(ours, theirs):.2f} |"
            f" {difference:.1e} |",
            flush=True,
        )


def training(
    example: Path,
    mode: AdjointMode,
    network: str = "odenet",
    batch_size: int = 128,
    device: str = "cpu",
    **further: Any,
) -> Work:
    """Steps of training; ``further`` are settings of our solves."""
    images = load_mini(validation=500).train
    data = TrainBatches(images, batch_size, True, 0, torch.device(device))
    torch.manual_seed(0)
    theirs = their_model(example, network, adjoint=mode in ("full", "seminorm"))
    ours = our_model(network, mode, **further)
    copy_weights(theirs, ours)
    weights = weights_of(theirs.parameters())
    for model in (theirs, ours):
        model.to(device)
    our_step, their_step = stepper(ours), stepper(theirs)

    def batch(number: int) -> tuple[Tensor, Tensor]:
        return data.batch(0, number % len(data))

    def shared(turns: int) -> dict[str, np.ndarray]:
        columns = zip(*(batch(number) for number in range(turns)), strict=True)
        x, y = (np.stack([part.cpu().numpy() for part in column]) for column in columns)
        return weights | {"images": x, "labels": y}

    return Work(
        "mnist-odenet",
        {"adjoint": mode, "rtol": TOLERANCE, "atol": TOLERANCE, "lr": LEARNING_RATE},
        {
            "ours": lambda number: our_step(*batch(number)),
            "torchdiffeq": lambda number: their_step(*batch(number)),
        },
        shared,
    )


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


def our_model(network: str, mode: AdjointMode, **further: Any) -> nn.Module:
    if network == "resnet":
        config = ResNetConfig(name="resnet", stem="conv", channels=64, blocks=6)
    else:
        config = OdeNetConfig(name="odenet", stem="conv", channels=64, T=1.0, learn_time=False)
    spec = SolveSpec(rtol=TOLERANCE, atol=TOLERANCE, adjoint=mode, **further)
    return ImageClassifier(config, spec)


def stepper(model: nn.Module) -> Callable[[Tensor, Tensor], float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)

    def step(x: Tensor, y: Tensor) -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
