"""Trajectories of the user's own, with the times at which they are to be predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from node_cli.data.series_file import Points
from node_cli.data.series_units import SeriesUnits
from node_cli.errors import DataError
from node_cli.tasks.asked_times import asked_times
from node_cli.tasks.dynamics.system import Floats
from node_cli.tasks.dynamics.trajectories import Trajectories
from node_cli.tasks.given_series import SeriesColumns, given_series
from node_cli.tasks.prediction import Inputs, Question


@dataclass(frozen=True)
class AskedTrajectories(Trajectories):
    """Trajectories of which some points are to be predicted from the first.

    The first point is the one whose state is known; the others may lie before it too.

    Attributes:
        asked: which, bool ``[N, P]``.
        at: times as the user has them, float64 ``[N, P]``.
    """

    asked: Tensor
    at: Tensor


def all_asked(true: Trajectories, at: Tensor) -> AskedTrajectories:
    """Trajectories that are predicted at all of their points, at times ``[N, P]`` of the user's."""
    own = (true.times, true.states, true.truth, true.derivatives, true.shown, true.there)
    return AskedTrajectories(*own, true.there, at)


def read_inputs(
    units: SeriesUnits, columns: SeriesColumns, question: Question, backwards: bool = True
) -> Inputs:
    """The first state of each trajectory of a file, and the points that are asked for.

    Args:
        units: of the model.
        columns: of the file.
        question: of the user.
        backwards: times may lie before that of the first state.

    Raises:
        DataError: the file cannot be used, or has other columns; a first state lacks a value; a
            time lies before it, and may not.
    """
    given = given_series(question, columns)
    _refuse_missing(given, columns)
    asked = asked_times(question, {name: times for name, (times, _) in given.items()})
    if not backwards:
        _refuse_before(asked, given)
    first = np.stack([values[0] for _, values in given.values()])
    start = [times[0] for times, _ in given.values()]
    return Inputs(_from_first(first, start, list(asked.values()), units), {columns.id: list(given)})


def _from_first(
    first: Floats, start: list[float], asked: list[Floats], units: SeriesUnits
) -> AskedTrajectories:
    shape = (len(start), 1 + max(map(len, asked)))
    at = torch.tensor(start, dtype=torch.float64).unsqueeze(1).repeat(1, shape[1])
    wanted = torch.zeros(shape, dtype=torch.bool)
    for i, own in enumerate(asked):
        at[i, 1 : 1 + len(own)] = torch.from_numpy(own)
        wanted[i, 1 : 1 + len(own)] = True
    states = torch.zeros(*shape, first.shape[1])
    states[:, 0] = units.model_values(torch.from_numpy(first))
    there = torch.ones_like(wanted)
    unknown = torch.full_like(states, float("nan"))
    times = units.model_times(at, at[:, :1])
    return AskedTrajectories(times, states, states, unknown, there, there, wanted, at)


def _refuse_missing(given: Mapping[str, Points], columns: SeriesColumns) -> None:
    for name, (times, values) in given.items():
        missing = np.flatnonzero(np.isnan(values[0]))
        if len(missing):
            raise DataError(
                f"INPUT: {columns.values[missing[0]]} is missing at {columns.time} {times[0]:.15g},"
                f" the first of {columns.id} {name}; the state that a trajectory begins with needs"
                " all of its values."
            )


def _refuse_before(asked: Mapping[str, Floats], given: Mapping[str, Points]) -> None:
    for name, times in asked.items():
        first = given[name][0][0]
        if times[0] < first:
            raise DataError(
                f"time {times[0]:.15g} of series {name}: an SDE is solved forwards in time from the"
                f" first state, which is at {first:.15g}; ask for times from there on."
            )
