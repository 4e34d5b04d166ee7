"""The check that a run's flow is really solved: ``evaluation.round_trip``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from node_cli.methods import METHODS
from node_cli.models.round_trip import round_trips
from node_cli.schema.run import RunConfig
from node_cli.tasks.base import Batch, Split, Task

LARGEST_ERROR = 0.01
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
    tested = [error for tag, error in final.items() if tag.startswith(f"{_TAG}_test")]
    if max(tested, default=0.0) <= LARGEST_ERROR:
        return []
    evaluation = config.evaluation
    name = evaluation.solver or config.solver.name
    group = "solver" if evaluation.solver is None else "evaluation"
    advice = (
        f"more steps ({group}.step_size or {group}.num_steps)"
        if METHODS[name].kind == "fixed"
        else f"a tighter tolerance (such as tolerance.rtol={config.tolerance.rtol / 100:g}"
        f" tolerance.atol={config.tolerance.atol / 100:g})"
    )
    return [
        f"Solved forwards and then back, {_came_back(max(tested))}: what the model does may be the"
        " solver's error and no flow, unless its paths run together, where the way back magnifies"
        f" any error. Train with {advice}."
    ]


def _came_back(error: float) -> str:
    if error == float("inf"):
        return "states of the test do not return at all"
    distance = f"{error:.2%} of" if error < 1 else f"{error:.3g} times"
    return (
        f"states of the test end {distance} their size away from where they began (more than"
        f" {LARGEST_ERROR:.0%})"
    )
