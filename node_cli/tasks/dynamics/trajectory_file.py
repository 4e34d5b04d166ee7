"""Trajectories in a file of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Points, read_series_file, split_series
from node_cli.data.series_units import SeriesUnits
from node_cli.data.standardisation import mean_and_deviation
from node_cli.data.time_units import about_times, time_units
from node_cli.errors import DataError
from node_cli.tasks.dynamics.asked import AskedTrajectories, all_asked
from node_cli.tasks.dynamics.schema import TrajectoryFileConfig
from node_cli.tasks.dynamics.stream import Stream
from node_cli.tasks.dynamics.system import Floats
from node_cli.tasks.dynamics.trajectories import Trajectories


@dataclass(frozen=True)
class TrajectoryTable:
    """Trajectories, and what is known of them.

    Attributes:
        parts: training, validation and test.
        units: how they were changed.
        ids: of the test.
        about: lines on how the user's own file was read.
    """

    parts: list[AskedTrajectories]
    units: SeriesUnits
    ids: list[str]
    about: Sequence[str] = ()


def made(parts: Sequence[Trajectories], columns: Sequence[str]) -> TrajectoryTable:
    """Trajectories that were made, in their own units and with numbers for ids."""
    asked = [all_asked(part, part.times.double()) for part in parts]
    ids = list(map(str, range(len(parts[2]))))
    return TrajectoryTable(asked, SeriesUnits.unchanged(columns), ids)


def read_trajectories(
    config: TrajectoryFileConfig, second_half: Literal["momenta", "velocities"] | None, seed: int
) -> TrajectoryTable:
    """Read, split, hide and scale.

    Each value is standardised by the training trajectories. Where the second half of a state is
    momenta or velocities of the first, all are divided by one number and not shifted, which keeps
    it true; velocities are those in the model's unit of time.

    Args:
        config: the ``data`` group.
        second_half: what the model takes the second half of a state for.
        seed: of the run.

    Raises:
        DataError: the file cannot be used; says why, and where.
    """
    columns, series, _, read_as = read_series_file(config)
    _refuse_unfit(config, columns, series)
    parts = split_series(list(series.items()), config, random_stream(seed, Stream.FILE))
    start, time_scale = time_units(config, series, (times for _, (times, _) in parts[0]))
    train = np.concatenate([values for _, (_, values) in parts[0]])
    where = f"data.path={config.path}"
    centre, scale = mean_and_deviation(train, columns, where, "training series")
    if second_half is not None:
        centre, scale = np.zeros_like(centre), _of_one_kind(train, second_half, time_scale)
    units = SeriesUnits(
        columns, torch.from_numpy(centre), torch.from_numpy(scale), start, time_scale
    )
    stream = random_stream(seed, Stream.FILE, 1)
    padded = [_padded([points for _, points in part], units, config, stream) for part in parts]
    about = (f"data.path: {read_as}", about_times(config.time, start, time_scale))
    ids = [name for name, _ in parts[2]]
    return TrajectoryTable(padded, units, ids, list(filter(None, about)))


def _of_one_kind(
    train: Floats, second_half: Literal["momenta", "velocities"], time_scale: float
) -> Floats:
    """What values are divided by, ``[D]``: one length, and that in a unit of time."""
    unit = np.ones(train.shape[1])
    if second_half == "velocities":
        unit[train.shape[1] // 2 :] = 1 / time_scale
    root: Floats = unit * np.sqrt(((train / unit) ** 2).mean())
    return root


def _refuse_unfit(
    config: TrajectoryFileConfig, columns: Sequence[str], series: dict[str, Points]
) -> None:
    where = f"data.path={config.path}"
    window = 2 if config.window is None else config.window
    for name, (times, values) in series.items():
        if np.isnan(values).any():
            row, column = np.argwhere(np.isnan(values))[0]
            raise DataError(
                f"{where}: {columns[column]} is missing at {config.time} {times[row]:g} of"
                f" {config.id} {name}; a state needs all of its values. Leave such rows out, or use"
                " a task for incomplete series."
            )
        shown = len(times) - _hidden(config, len(times))
        if shown < 2:
            raise DataError(
                f"{where}: {config.id} {name} has {len(times)} points, of which data.hidden leaves"
                f" {shown}; at least 2 are needed."
            )
        if shown < window:
            raise DataError(
                f"data.window={window}: {config.id} {name} has {len(times)} points, of which"
                f" data.hidden={config.hidden:g} leaves {shown} for training; a window must be at"
                " most as long."
            )


def _hidden(config: TrajectoryFileConfig, points: int) -> int:
    """How many points of a trajectory training does not see; the first is always seen."""
    return min(points - 1, round(config.hidden * points))


def _padded(
    part: Sequence[Points],
    units: SeriesUnits,
    config: TrajectoryFileConfig,
    stream: torch.Generator,
) -> AskedTrajectories:
    longest = max(len(times) for times, _ in part)
    shape = (len(part), longest)
    times = torch.zeros(shape, dtype=torch.float64)
    states = torch.zeros(*shape, part[0][1].shape[1])
    shown, there = (torch.zeros(shape, dtype=torch.bool) for _ in range(2))
    for i, (at, values) in enumerate(part):
        n = len(at)
        hidden = _hidden(config, n)
        times[i, :n] = torch.from_numpy(at)
        states[i, :n] = units.model_values(torch.from_numpy(values))
        times[i, n:], states[i, n:] = times[i, n - 1].clone(), states[i, n - 1].clone()
        there[i, :n] = shown[i, :n] = True
        if config.mode == "extrapolation":
            shown[i, n - hidden : n] = False
        else:
            shown[i, 1 + torch.randperm(n - 1, generator=stream)[:hidden]] = False
    unknown = torch.full_like(states, float("nan"))
    of_model = units.model_times(times, times[:, :1])
    return all_asked(Trajectories(of_model, states, states, unknown, shown, there), times)
