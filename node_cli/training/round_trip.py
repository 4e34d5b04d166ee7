"""The check that a run's flow is really solved: ``evaluation.round_trip``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from node_cli.methods import METHODS
from node_cli.models.round_trip import round_trips
from node_cli.schema.run import RunConfig
from node_cli.schema.tolerance import Tolerances
from node_cli.tasks.base import Batch, Split, Task

LARGEST_ERROR = 0.01
_FINEST = 1e-7  # the tolerance below which single precision does not go
_TAG = "solver/round_trip_error"


def round_trip_error(
    task: Task[Any], model: nn.Module, batch: Batch, split: Split
) -> dict[str, float]:
    """The largest error among the solves of an evaluation of one batch, by its tag.

    What it costs is counted nowhere. Empty where nothing is solved for this batch.
    """
    with round_trips(model) as errors:
        task.evaluate(model, [batch])
    tag = _TAG if split == "val" else f"{_TAG}_{split}"
    return {tag: max(errors)} if errors else {}


def warnings(config: RunConfig, final: Mapping[str, float]) -> list[str]:
    """What a finished run says of its flow: a sentence where it is not solved, else nothing.

    Args:
        config: the whole run.
        final: its last metrics by tag.
    """
    tested = {tag: error for tag, error in final.items() if tag.startswith(f"{_TAG}_test")}
    largest = max(tested.values(), default=0.0)
    if largest <= LARGEST_ERROR:
        return []
    training = tested.get(f"{_TAG}_test_as_trained", 0.0) > LARGEST_ERROR
    return [
        f"Solved forwards and then back, {_came_back(largest)}: what the model does may be the"
        " solver's error and no flow, unless its paths run together, where the way back magnifies"
        f" any error. {_advice(config, training)}"
    ]


def _advice(config: RunConfig, training: bool) -> str:
    """What makes the solves more exact: those of training, or evaluation's own."""
    evaluation, trained = config.evaluation, config.tolerance
    name = config.solver.name if training else evaluation.solver or config.solver.name
    own: Sequence[object]
    if METHODS[name].kind == "fixed":
        own = (evaluation.solver, evaluation.step_size, evaluation.num_steps)
        verb, group = _where(own, "solver", training)
        return f"{verb} with more steps ({group}.step_size or {group}.num_steps)."
    own = (evaluation.tolerance, evaluation.rtol, evaluation.atol)
    verb, group = _where(own, "tolerance", training)
    used = Tolerances(trained.rtol, trained.atol)
    if group == "evaluation":
        used = evaluation.tolerances(used)
    rtol, atol = (min(value, max(value / 100, _FINEST)) for value in used)
    tighter = (
        f"evaluation.tolerance={min(rtol, atol):g}"
        if group == "evaluation" and evaluation.tolerance is not None
        else f"{group}.rtol={rtol:g} {group}.atol={atol:g}"
    )
    return f"{verb} with a tighter tolerance (such as {tighter})."


def _where(own: Sequence[object], trained: str, training: bool) -> tuple[str, str]:
    """What is to be done otherwise, and the group of its settings: evaluation may have its own."""
    if training or all(value is None for value in own):
        return "Train", trained
    return "Evaluate", "evaluation"


def _came_back(error: float) -> str:
    if error == float("inf"):
        return "states of the test do not return at all"
    distance = f"{error:.2%} of" if error < 1 else f"{error:.3g} times"
    return (
        f"states of the test end {distance} their size away from where they began (more than"
        f" {LARGEST_ERROR:.0%})"
    )
