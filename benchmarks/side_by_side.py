"""What the benchmarks beside torchdiffeq's examples share."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn


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
    parameters: Iterable[Tensor], loss_of: Callable[..., Tensor], lr: float
) -> Callable[..., float]:
    """A step of Adam on ``loss_of(...)``, which returns that loss."""
    optimizer = torch.optim.Adam(parameters, lr=lr)

    def step(*batch: Tensor) -> float:
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
