"""What a trained latent SDE says of a user's series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from node_cli.data.series_file import Points
from node_cli.data.series_units import SeriesUnits
from node_cli.data.time_units import Times
from node_cli.errors import ConfigError, DataError
from node_cli.schema.data import DataSchema
from node_cli.tasks.asked_times import asked_times
from node_cli.tasks.given_series import SeriesColumns, given_series, refuse_missing
from node_cli.tasks.latent_sde.asked_series import AskedSeries, asked_series
from node_cli.tasks.latent_sde.latent_sde import LatentSdeOfSeries
from node_cli.tasks.latent_sde.series import OBSERVED
from node_cli.tasks.prediction import Inputs, Question

_NEAR = 1e-3  # of the distance of two points, by which a time may be off for rounding


def read_inputs(model: LatentSdeOfSeries, columns: SeriesColumns, question: Question) -> Inputs:
    """Observed series of a file, and the points that are asked for.

    Rows without any value are left out, as in training.

    Raises:
        DataError: the file cannot be used, or has other columns; values are missing that never
            were in training; points are at other times where all series of training had the same;
            a time is before that at which paths begin.
    """
    units = model.units
    assert units is not None
    given = {}
    for name, (times, values) in given_series(question, columns).items():
        there = np.isfinite(values).any(axis=1)
        if not there.any():
            raise DataError(
                f"INPUT: {columns.id} {name} has no value, so that it says nothing of its paths;"
                " leave it out."
            )
        given[name] = times[there], values[there]
    if not model.masked:
        refuse_missing(given, columns)
    _refuse_before({name: times for name, (times, _) in given.items()}, units, "INPUT: ")
    if model.grid is not None:
        _refuse_other_times(given, model.grid, units, columns)
    asked = asked_times(question, {name: times for name, (times, _) in given.items()})
    _refuse_before(asked, units, "", {name: times[0] for name, (times, _) in given.items()})
    return Inputs(asked_series(given, asked, units), {columns.id: list(given)})


def times_of_one(
    data: DataSchema, series: AskedSeries, units: SeriesUnits, question: Question
) -> Inputs:
    """The points that are asked for of the one series that a run has learned.

    Args:
        data: the ``data`` group of the run.
        series: the one, of which observed points count.
        units: of the model.
        question: of the user.

    Raises:
        ConfigError: there is a file, or ids with the times.
        DataError: a time is before that at which paths begin.
    """
    if question.path is not None:
        raise ConfigError(
            f"INPUT: data={data.name} is one series, whose posterior the run has learned, and takes"
            " no file; leave it out, and ask by --times."
        )
    if isinstance(question.times, Mapping):
        raise ConfigError("--times-file: there is one series; give times without ids.")
    shown = series.roles[0] == OBSERVED
    observed = series.at[0, shown].numpy(), series.values[0, shown].double().numpy()
    asked = asked_times(question, {"": observed[0]})
    _refuse_before(asked, units, "")
    return Inputs(asked_series({"": observed}, asked, units))


def _refuse_before(
    times: Mapping[str, Times],
    units: SeriesUnits,
    where: str,
    firsts: Mapping[str, float] | None = None,
) -> None:
    """Refuse times before 0 of the model, where paths begin.

    Args:
        times: of each series, in the units of the user.
        units: of the model.
        where: they were given, with which the message begins.
        firsts: the first observed time of each series, which is 0 where the units name no other;
            None: the first of ``times``.
    """
    for name, own in times.items():
        start = units.start
        if start is None:
            start = own[0] if firsts is None else firsts[name]
        if own[0] < start:
            of = f" of series {name}" if name else ""
            raise DataError(
                f"{where}time {own[0]:.15g}{of}: the paths of this latent SDE begin at"
                f" {start:.15g}, and say nothing of what was before; give times from there on."
            )


def _refuse_other_times(
    given: Mapping[str, Points],
    grid: Times,
    units: SeriesUnits,
    columns: SeriesColumns,
) -> None:
    """Refuse points that the encoder would take for points at other times.

    Args:
        given: times and values of each series, by its id, in the units of the user.
        grid: the times of training in the units of the model, ``[P]``; the last distance goes on.
        units: of the model.
        columns: names.
    """
    steps = np.diff(grid)
    for name, (times, _) in given.items():
        start = times[0] if units.start is None else units.start
        further = grid[-1] + steps[-1] * np.arange(1, len(times))
        expected = np.concatenate((grid, further))[: len(times)]
        off = np.abs((times - start) / units.time_scale - expected) > _NEAR * steps.min()
        if off.any():
            place = int(np.flatnonzero(off)[0])
            right = start + expected[place] * units.time_scale
            raise DataError(
                f"INPUT: {columns.time} {times[place]:.15g} of {columns.id} {name}: all series of"
                f" training had the same times, and point {place + 1} was at {right:.6g}; the run"
                " is told no times, and would take it for that. Give points at these times, or"
                " train on series with times of their own."
            )
