"""What a study measures, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from node_cli.solving import SolveSpec
from node_cli.solving.spec import BackwardSpec
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

    task: Task
    model: nn.Module
    batch: Batch
    device: torch.device
    history: Sequence[Mapping[str, float]]
    tell: Callable[[Row], None]

    def loss(self) -> Tensor:
        """The loss of the training batch."""
        return self.task.loss(self.model, self.batch)[0]


@dataclass(frozen=True)
class Findings:
    """A table, a row for each thing measured, and figures by name."""

    rows: list[Row] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)


def solving_modules(model: nn.Module) -> list[nn.Module]:
    """The parts of a model that solve an ODE: they have a ``spec``."""
    return [m for m in model.modules() if isinstance(getattr(m, "spec", None), SolveSpec)]


def at_tolerance(
    model: nn.Module, tolerance: float, **changes: object
) -> AbstractContextManager[None]:
    """``solved_as`` with one tolerance, forwards and backwards."""
    return solved_as(
        model,
        rtol=tolerance,
        atol=tolerance,
        behind=BackwardSpec(rtol=tolerance, atol=tolerance),
        **changes,
    )


@contextmanager
def solved_as(model: nn.Module, **changes: object) -> Iterator[None]:
    """Inside the ``with`` block, the model's solves differ by ``changes`` of their spec."""
    modules = solving_modules(model)
    specs = [module.spec for module in modules]
    try:
        for module in modules:
            spec = module.spec
            assert isinstance(spec, SolveSpec)
            # mypy cannot know the fields of a mapping.
            module.spec = replace(spec, **changes)  # type: ignore[arg-type]
        yield
    finally:
        for module, spec in zip(modules, specs, strict=True):
            module.spec = spec
