"""What a trained model says of examples, batch by batch, as one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from node_cli.data.batches import number_of
from node_cli.data.result_table import ResultTable
from node_cli.errors import ConfigError
from node_cli.models.model_with_units import times_told_of
from node_cli.solving.torchdiffeq_backend import torchdiffeq_failures
from node_cli.tasks.base import Batch, Task
from node_cli.tasks.prediction import Part, Question
from node_cli.training.evaluation import evaluating
from node_cli.training.exact_kernels import exact_kernels
from node_cli.training.task_results import checked_inputs, checked_predictions, exits_told

if TYPE_CHECKING:
    from node_cli.training.trained import TrainedRun

TABLE = "predictions.csv"  # in a run folder, of the test

# What is said of a part of a question, and by which words it is given.
_PARTS: dict[Part, tuple[str, str]] = {
    "input": ("INPUT", "takes no file"),
    "times": ("--times", "predicts at no times"),
    "samples": ("--samples", "draws no samples"),
}


def answer(trained: TrainedRun, question: Question, batch_size: int | None = None) -> ResultTable:
    """What a run says to a question.

    Args:
        trained: the run.
        question: what is to be predicted.
        batch_size: examples at a time; None: as in the run's evaluation.

    Raises:
        ConfigError: its task does not predict, or not so.
        DataError: the user's file cannot be used.
        SolverError: a solve failed.
    """
    task, model = trained.task, trained.model
    config, device = trained.config, trained.device
    check_predicts(task)
    _check_asked(task, question)
    with (
        exact_kernels(),
        exits_told(),
        times_told_of(model),
        evaluating(model, config, device, seed=question.seed),
    ):
        inputs = checked_inputs(task, task.inputs(model, question))
        size = batch_size or config.data.eval_batch_size
        batches = task.batches_of_inputs(inputs, size, device, question)
        with torchdiffeq_failures(config.solver.name):
            return predicted(task, model, batches, inputs.labels, question)


def predicted(
    task: Task[Any],
    model: nn.Module,
    batches: Iterable[Batch],
    labels: Mapping[str, Sequence[str]],
    question: Question,
) -> ResultTable:
    """The predictions of all batches.

    Args:
        task: of the model.
        model: in evaluation.
        batches: of examples.
        labels: texts that tell all of the examples apart, by the name of their column.
        question: to which they are the answer.
    """
    columns: list[str] = []
    parts, texts = [], {name: list[str]() for name in labels}
    before = 0
    for batch in batches:
        found = checked_predictions(task, task.predict(model, batch, question))
        columns = list(found.columns)
        parts.append(found.values.double().cpu().numpy())
        rows = range(len(found.values)) if found.of is None else found.of.tolist()
        for name, all_texts in labels.items():
            texts[name] += [all_texts[before + row] for row in rows]
        for name, own in found.labels.items():
            texts.setdefault(name, []).extend(own)
        before += number_of(batch)
    return ResultTable(columns, np.concatenate(parts), texts)


def check_predicts(task: Task[Any], asked_by: str = "") -> None:
    """Refuse a task that has no predictions.

    Args:
        task: of the run.
        asked_by: the setting that wants some, with which the message begins.

    Raises:
        ConfigError: it has none.
    """
    if not task.predicts():
        subject = f"{asked_by}: " if asked_by else ""
        raise ConfigError(
            f"{subject}task={task.config.task.name} has no predictions, as its class has no method"
            " predict."
        )


def _check_asked(task: Task[Any], question: Question) -> None:
    if question.times is not None and question.horizon is not None:
        raise ConfigError("--times, --horizon: times that are named need no horizon; give one.")
    given: dict[Part, bool] = {
        "input": question.path is not None,
        "times": question.times is not None or question.horizon is not None,
        "samples": question.samples is not None,
    }
    for part, (words, why) in _PARTS.items():
        if given[part] and part not in task.asks:
            raise ConfigError(f"{words}: task={task.config.task.name} {why}; leave it out.")
