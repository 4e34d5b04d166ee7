"""What a task gives, held against what it has to give."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from node_cli.data.batches import number_of
from node_cli.errors import RunError
from node_cli.solving.field_result import described
from node_cli.source_place import at_place, place_of, place_of_failure
from node_cli.tasks.base import Loaders, Task
from node_cli.tasks.prediction import Inputs, Predictions

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
        raise _unfit(task.build_model, f"gave {described(given)}", "a torch.nn.Module")
    if any(nn.parameter.is_lazy(weight) for weight in given.parameters()):
        raise _unfit(
            task.build_model, "gave a model with lazy layers", "one whose shapes are all known"
        )
    if not any(weight.requires_grad for weight in given.parameters()):
        raise _unfit(task.build_model, "gave a model without weights to train", "one with some")
    return given


def checked_learning_rates(task: Task[Any], given: Any) -> list[tuple[float, list[nn.Parameter]]]:
    """What ``Task.learning_rates`` gave: positive numbers, each with weights of its own.

    Raises:
        TaskError: it is something else.
    """
    right = "a list of pairs, a number > 0 and the parameters that learn at so many optimizer.lr"
    try:
        groups = [(float(multiple), list(weights)) for multiple, weights in given]
    except (TypeError, ValueError) as error:
        raise _unfit(task.learning_rates, f"gave {described(given)}", right) from error
    for multiple, weights in groups:
        if not 0 < multiple < math.inf:
            raise _unfit(task.learning_rates, f"gave the number {multiple:g}", right)
        for weight in weights:
            if not isinstance(weight, nn.Parameter):
                raise _unfit(task.learning_rates, f"gave {described(weight)} as a parameter", right)
    every = [id(weight) for _, weights in groups for weight in weights]
    if not every or len(set(every)) < len(every):
        what = "gave a parameter twice" if every else "gave no parameters"
        raise _unfit(task.learning_rates, what, f"{right}, each once")
    return groups


def checked_loaders(task: Task[Any], given: Any) -> Loaders:
    """What ``Task.loaders`` gave: batches of the three splits, some of each.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, Loaders):
        raise _unfit(task.loaders, f"gave {described(given)}", "Loaders, as Task.in_batches gives")
    if not hasattr(given.train, "batch"):
        raise _unfit(
            task.loaders,
            f"gave as train {described(given.train)}, which has no method batch(epoch, index)",
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
        raise _unfit(task.loss, f"gave {described(given)}", "a tuple (loss, metrics by name)")
    loss, metrics = given
    if not isinstance(loss, Tensor) or loss.ndim != 0 or not loss.is_floating_point():
        raise _unfit(
            task.loss, f"gave as the loss {described(loss)}", "a scalar tensor, of shape []"
        )
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
        raise _unfit(task.evaluate, f"gave {described(given)}", "metrics by name")
    _check_metrics(task.evaluate, given)
    for name in dict.fromkeys(("loss", task.best.name)):
        if name not in given:
            kind = type(task)
            raise TaskError(
                at_place(
                    place_of(kind),
                    f"{kind.__qualname__} gives the metrics {', '.join(given) or '(none)'} in its"
                    f" evaluation, and {name} is not among them; loss must be, and the one by which"
                    f" the best weights are chosen, which is {task.best.name}.",
                )
            )
    return {name: float(value) for name, value in given.items()}


def checked_figures(task: Task[Any], given: Any) -> Mapping[str, Figure]:
    """What ``Task.figures`` gave: Matplotlib figures by name.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, Mapping):
        raise _unfit(task.figures, f"gave {described(given)}", "figures by name")
    for name, figure in given.items():
        if not isinstance(name, str) or not _FIGURE_NAME.fullmatch(name):
            raise _unfit(
                task.figures,
                f"gave a figure the name {name!r}",
                "names of letters, digits, - and _",
            )
        if not hasattr(figure, "savefig"):
            raise _unfit(task.figures, f"gave as {name} {described(figure)}", "Matplotlib figures")
    return given


def checked_inputs(task: Task[Any], given: Any) -> Inputs:
    """What ``Task.inputs`` gave: some examples, and texts for each of them.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, Inputs):
        raise _unfit(task.inputs, f"gave {described(given)}", "Inputs(examples)")
    count = number_of(given.examples)
    if count == 0:
        raise _unfit(task.inputs, "gave no example", "at least one")
    for name, texts in given.labels.items():
        if len(texts) != count:
            raise _unfit(
                task.inputs,
                f"gave {len(texts)} texts as {name} of {count} examples",
                "one for each",
            )
    return given


def checked_predictions(task: Task[Any], given: Any) -> Predictions:
    """What ``Task.predict`` gave: a table of numbers.

    Raises:
        TaskError: it is something else.
    """
    if not isinstance(given, Predictions):
        raise _unfit(task.predict, f"gave {described(given)}", "Predictions(columns, values)")
    values, columns = given.values, given.columns
    if not isinstance(values, Tensor) or values.shape[1:] != (len(columns),):
        raise _unfit(
            task.predict,
            f"gave as the values of {len(columns)} columns {described(values)}",
            f"a tensor of shape [rows, {len(columns)}]",
        )
    for name, rows in (("of", given.of), *given.labels.items()):
        if rows is not None and len(rows) != len(values):
            raise _unfit(
                task.predict,
                f"gave {len(rows)} of {name} for {len(values)} rows",
                "as many as rows",
            )
    return given


def _check_metrics(method: Callable[..., object], metrics: Mapping[str, Any]) -> None:
    for name, value in metrics.items():
        single = value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, int | float)
        if not isinstance(name, str) or not single:
            raise _unfit(
                method,
                f"gave as the metric {name} {described(value)}",
                "a number or a scalar tensor",
            )


def _unfit(method: Callable[..., object], given: str, right: str) -> TaskError:
    return TaskError(
        at_place(place_of(method), f"{method.__qualname__} {given}; it must give {right}.")
    )
