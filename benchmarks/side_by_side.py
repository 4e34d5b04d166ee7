"""What the benchmarks beside torchdiffeq's examples share."""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

# A step of a contestant: given the number of its turn, it works on that turn's batch and returns
# its loss, or another number by which the contestants can be compared.
Step = Callable[[int], float]


@dataclass(frozen=True)
class Work:
    """The same work for all contestants.

    Attributes:
        name: as ``run.py --only`` knows it.
        settings: what was asked for, such as tolerances and the way to the gradients.
        steps: ours and torchdiffeq's.
        shared: arrays by which a contestant of another process does the same, for so many turns:
            initial weights by ``weights/0``, ``weights/1`` ... and the batches.
        models: what the steps train.
    """

    name: str
    settings: dict[str, Any]
    steps: dict[str, Step]
    shared: Callable[[int], dict[str, np.ndarray]]
    models: dict[str, nn.Module] = field(default_factory=dict)


class Timing(NamedTuple):
    """What a contestant took in each turn and which values it found; warm-up turns apart."""

    seconds: list[float]
    values: list[float]
    warm_up: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def timed(
    step: Step, clock: Callable[[], float] = time.perf_counter
) -> Callable[[int], tuple[float, float]]:
    """The step with its seconds before its value."""

    def turn(number: int) -> tuple[float, float]:
        started = clock()
        value = step(number)
        return clock() - started, value

    return turn


def take_turns(
    contestants: Mapping[str, Callable[[int], tuple[float, float]]], turns: int, warm_up: int = 2
) -> dict[str, Timing]:
    """All contestants, one after the other, in each turn; the first turns warm caches up."""
    found = {name: Timing([], [], []) for name in contestants}
    for number in range(warm_up + turns):
        for name, turn in contestants.items():
            seconds, value = turn(number)
            timing = found[name]
            (timing.seconds if number >= warm_up else timing.warm_up).append(seconds)
            timing.values.append(value)
    return found


def ratio(slower: Timing, faster: Timing) -> float:
    """The median of the ratios within turns."""
    pairs = zip(slower.seconds, faster.seconds, strict=True)
    return statistics.median(a / b for a, b in pairs)


def weights_of(parameters: Iterable[Tensor]) -> dict[str, np.ndarray]:
    """Copies of the weights, by their order."""
    copies = (parameter.detach().cpu().numpy().copy() for parameter in parameters)
    return {f"weights/{i}": copy for i, copy in enumerate(copies)}


def load_example(path: Path, *arguments: str) -> ModuleType:
    """The example as a module; it reads ``arguments`` from ``sys.argv`` when it is imported."""
    sys.argv = [str(path), *arguments]
    spec = importlib.util.spec_from_file_location("torchdiffeq_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """``--device``, on which both sides compute."""
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")


def add_compile_option(parser: argparse.ArgumentParser) -> None:
    """``--compile``, of our steps; the first steps, which compile, are not timed."""
    help_text = "off or step: whether our steps are compiled (default: off)"
    parser.add_argument("--compile", choices=("off", "step"), default="off", help=help_text)


def machine(device: str) -> str:
    """What computes, for the first line of a table."""
    threads = f"{torch.get_num_threads()} threads"
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else threads
    return f"torch {torch.__version__}, {name}"


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy parameters by their order, which is the same in both."""
    with torch.no_grad():
        for theirs, ours in zip(source.parameters(), target.parameters(), strict=True):
            assert theirs.shape == ours.shape
            ours.copy_(theirs)


def stepper(
    parameters: Iterable[Tensor],
    loss_of: Callable[..., Tensor],
    lr: float,
    fused: bool = False,
) -> Callable[..., float]:
    """A step of Adam on ``loss_of(...)``, which returns that loss."""
    optimizer = torch.optim.Adam(parameters, lr=lr, fused=fused or None)

    def step(*batch: Tensor) -> float:
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
