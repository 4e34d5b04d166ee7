"""What a task gives, held against what it has to give."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from node_cli.errors import RunError
from node_cli.source_place import place_of, place_of_failure
from node_cli.tasks.base import Loaders, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIGURE_NAME = re.compile(r"[A-Za-z0-9_-]+")


class TaskError(RunError):
    """A method of a task gave something that training cannot use."""


@contextmanager
def exits_told() -> Iterator[None]:
    """Put around what calls a task: one that ends Python fails like one that raises.

    Raises:
        TaskError: it did.
    """
    try:
        yield
    except SystemExit as end:
        where = place_of_failure(end) or "the task"
        raise TaskError(f"{where}: it ends Python (SystemExit: {end.code}) in a run.") from end


def checked_model(task: Task[Any], given: Any) -> nn.Module:
    """What ``Task.build_model`` gave: a module with weights.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, nn.Module):
        raise _unfit(task.build_model, f"gave {_told(given)}", "a torch.nn.Module")
    if any(nn.parameter.is_lazy(weight) for weight in given.parameters()):
        raise _unfit(
            task.build_model, "gave a model with lazy layers", "one whose shapes are all known"
        )
    if not any(weight.requires_grad for weight in given.parameters()):
        raise _unfit(task.build_model, "gave a model without weights to train", "one with some")
    return given


def checked_loaders(task: Task[Any], given: Any) -> Loaders:
    """What ``Task.loaders`` gave: batches of the three splits, some of each.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, Loaders):
        raise _unfit(task.loaders, f"gave {_told(given)}", "Loaders, as Task.in_batches gives")
    if not hasattr(given.train, "batch"):
        raise _unfit(
            task.loaders,
            f"gave as train {_told(given.train)}, which has no method batch(epoch, index)",
            "training batches that are a function of both, as Task.in_batches does, so that a run"
            " can be resumed",
        )
    for name in ("train", "val", "test"):
        if len(getattr(given, name)) == 0:
            raise _unfit(task.loaders, f"gave no batch of {name}", "at least one")
    return given


def checked_loss(task: Task[Any], given: Any) -> tuple[Tensor, Mapping[str, Any]]:
    """What ``Task.loss`` gave: a scalar that gradients can be had of, and metrics.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, tuple) or len(given) != 2 or not isinstance(given[1], Mapping):
        raise _unfit(task.loss, f"gave {_told(given)}", "a tuple (loss, metrics by name)")
    loss, metrics = given
    if not isinstance(loss, Tensor) or loss.ndim != 0 or not loss.is_floating_point():
        raise _unfit(task.loss, f"gave as the loss {_told(loss)}", "a scalar tensor, of shape []")
    if not loss.requires_grad:
        raise _unfit(
            task.loss, "gave a loss without a gradient", "one that depends on the model's weights"
        )
    _check_metrics(task.loss, metrics)
    if "loss" in metrics:
        raise _unfit(task.loss, "gave a metric called loss beside the loss", "it another name")
    return loss, metrics


def checked_evaluation(task: Task[Any], given: Any) -> dict[str, float]:
    """What ``Task.evaluate`` gave: metrics, ``loss`` and the best one among them.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, Mapping):
        raise _unfit(task.evaluate, f"gave {_told(given)}", "metrics by name")
    _check_metrics(task.evaluate, given)
    for name in dict.fromkeys(("loss", task.best.name)):
        if name not in given:
            kind = type(task)
            where = place_of(kind)
            raise TaskError(
                f"{where + ': ' if where else ''}{kind.__qualname__} gives the metrics"
                f" {', '.join(given) or '(none)'} in its evaluation, and {name} is not among them;"
                f" loss must be, and the one by which the best weights are chosen, which is"
                f" {task.best.name}."
            )
    return {name: float(value) for name, value in given.items()}


def checked_figures(task: Task[Any], given: Any) -> Mapping[str, Figure]:
    """What ``Task.figures`` gave: Matplotlib figures by name.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, Mapping):
        raise _unfit(task.figures, f"gave {_told(given)}", "figures by name")
    for name, figure in given.items():
        if not isinstance(name, str) or not _FIGURE_NAME.fullmatch(name):
            raise _unfit(
                task.figures,
                f"gave a figure the name {name!r}",
                "names of letters, digits, - and _",
            )
        if not hasattr(figure, "savefig"):
            raise _unfit(task.figures, f"gave as {name} {_told(figure)}", "Matplotlib figures")
    return given


def _check_metrics(method: Callable[..., object], metrics: Mapping[str, Any]) -> None:
    for name, value in metrics.items():
        single = value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, int | float)
        if not isinstance(name, str) or not single:
            raise _unfit(
                method, f"gave as the metric {name} {_told(value)}", "a number or a scalar tensor"
            )


def _unfit(method: Callable[..., object], given: str, right: str) -> TaskError:
    where = place_of(method)
    return TaskError(
        f"{where + ': ' if where else ''}{method.__qualname__} {given}; it must give {right}."
    )


def _told(thing: object) -> str:
    if isinstance(thing, Tensor):
        return f"a tensor of shape {list(thing.shape)} and {str(thing.dtype)[6:]}"
    return f"an object of type {type(thing).__name__}"
