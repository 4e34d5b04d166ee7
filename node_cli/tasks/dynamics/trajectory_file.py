"""Trajectories in a file of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Points, read_series_file, split_series
from node_cli.data.series_units import SeriesUnits
from node_cli.data.standardisation import mean_and_deviation
from node_cli.errors import DataError
from node_cli.tasks.dynamics.asked import AskedTrajectories, all_asked
from node_cli.tasks.dynamics.schema import TrajectoryFileConfig
from node_cli.tasks.dynamics.stream import Stream
from node_cli.tasks.dynamics.trajectories import Trajectories


@dataclass(frozen=True)
class TrajectoryTable:
    """Trajectories, and what is known of them.

    Attributes:
        parts: training, validation and test.
        units: how they were changed.
        ids: of the test.
    """

    parts: list[AskedTrajectories]
    units: SeriesUnits
    ids: list[str]


def made(parts: Sequence[Trajectories], columns: Sequence[str]) -> TrajectoryTable:
    """Trajectories that were made, in their own units and with numbers for ids."""
    asked = [all_asked(part, part.times.double()) for part in parts]
    ids = list(map(str, range(len(parts[2]))))
    return TrajectoryTable(asked, SeriesUnits.unchanged(columns), ids)


def read_trajectories(config: TrajectoryFileConfig, one_scale: bool, seed: int) -> TrajectoryTable:
    """Read, split, hide and scale.

    Each value is standardised by the training trajectories. With ``one_scale`` all are divided by
    one number and not shifted, which keeps it true that one is the velocity or the momentum of
    another.

    Returns:
        Training, validation and test trajectories, and how they were changed; times are those since
        the file's earliest.

    Raises:
        DataError: the file cannot be used; says why, and where.
    """
    columns, series, _, _read_as = read_series_file(config)
    _refuse_unfit(config, columns, series)
    parts = split_series(list(series.items()), config, random_stream(seed, Stream.FILE))
    train = np.concatenate([values for _, (_, values) in parts[0]])
    centre, scale = mean_and_deviation(
        train, columns, f"data.path={config.path}", "training series"
    )
    if one_scale:
        centre, scale = np.zeros_like(centre), np.full_like(scale, np.sqrt((train**2).mean()))
    earliest = min(float(times[0]) for times, _ in series.values())
    units = SeriesUnits(columns, torch.from_numpy(centre), torch.from_numpy(scale), earliest)
    stream = random_stream(seed, Stream.FILE, 1)
    padded = [_padded([points for _, points in part], units, config, stream) for part in parts]
    return TrajectoryTable(padded, units, [name for name, _ in parts[2]])


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
    of_model = units.model_times(times)
    return all_asked(Trajectories(of_model, states, states, unknown, shown, there), times)
