"""What a study measures, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from node_cli.tasks.base import Batch, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, str | int | float | None]


@dataclass(frozen=True)
class Subject:
    """A trained model with what is needed to measure it.

    Attributes:
        task: gives the loss.
        model: on ``device``.
        batch: a training batch.
        device: where the model is.
        history: the means of each epoch of the run, by tag.
        tell: shows a row as soon as it is measured, and ends the study where the user wants to
            stop.
    """

    task: Task[Any]
    model: nn.Module
    batch: Batch
    device: torch.device
    history: Sequence[Mapping[str, float]]
    tell: Callable[[Row], None]

    def loss(self) -> Tensor:
        """The loss of the training batch, the same each time at the same parameters."""
        with same_randomness(self.device), frozen_statistics(self.model):
            return self.task.loss(self.model, self.batch)[0]


@dataclass(frozen=True)
class Findings:
    """A table, a row for each thing measured, and figures by name."""

    rows: list[Row] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)


@contextmanager
def same_randomness(
    device: torch.device, state: Tensor | None = None, seed: int = 0
) -> Iterator[None]:
    """Inside the ``with`` block, torch's generators start where they did the last time.

    Args:
        device: whose generator is kept aside, with that of the CPU.
        state: of the CPU's generator; None: that of ``seed``.
        seed: of the generators.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        if state is not None:
            torch.set_rng_state(state)
        yield


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Inside the ``with`` block, running statistics and the like are used and left alone."""
    layers = [m for m in model.modules() if getattr(m, "has_moving_state", False) and m.training]
    for layer in layers:
        layer.train(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.train(True)
