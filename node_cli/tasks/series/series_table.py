"""Series of different lengths and units, as tensors: standardised, padded, partly hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Named, read_series_file, split_series
from node_cli.data.series_units import SeriesUnits
from node_cli.data.standardisation import mean_and_deviation, mean_and_deviation_where_known
from node_cli.data.time_units import about_times, suitable_scale, time_units
from node_cli.errors import DataError
from node_cli.tasks.series.archive import read_archive
from node_cli.tasks.series.asked_series import AskedSeries, all_asked
from node_cli.tasks.series.class_scores import UNKNOWN
from node_cli.tasks.series.collection import Collection, with_classes
from node_cli.tasks.series.glucose import read_glucose
from node_cli.tasks.series.hopper import simulate_hopper
from node_cli.tasks.series.observed import ROLES, Series
from node_cli.tasks.series.physionet import read_physionet
from node_cli.tasks.series.schema import (
    ArchiveConfig,
    GlucoseConfig,
    HopperConfig,
    PhysionetConfig,
    RealSeriesConfig,
    SeriesTableConfig,
)
from node_cli.tasks.series.stream import Stream


@dataclass(frozen=True)
class SeriesTable:
    """The series of a run.

    Attributes:
        parts: training, validation and test; times start at 0 with the earliest of all, and the
            values are standardised by mean and deviation of the training values.
        units: how they were changed.
        ids: of the test.
        classes: the name of each class; empty: there are none.
        source: what the series are and under which licence; empty: they were made, or are the
            user's own.
        about: lines on how the user's own file was read.
    """

    parts: list[AskedSeries]
    units: SeriesUnits
    ids: list[str]
    classes: Sequence[str] = ()
    source: str = ""
    about: Sequence[str] = ()


def made(parts: Sequence[Series]) -> SeriesTable:
    """Series that were made, in their own units and with numbers for ids."""
    count, _, dimensions = parts[2].values.shape
    units = SeriesUnits.unchanged([f"x{number}" for number in range(1, dimensions + 1)])
    asked = [all_asked(part, part.times.double()) for part in parts]
    return SeriesTable(asked, units, list(map(str, range(count))))


def read_series(config: RealSeriesConfig, seed: int) -> SeriesTable:
    """Read, split, hide and standardise.

    Raises:
        DataError: a file or a package is missing, or something in it is wrong; says what.
    """
    found = _collection(config, seed)
    if len(found.parts[0]) < config.batch_size:
        raise DataError(
            f"data.batch_size={config.batch_size}: must be at most {len(found.parts[0])}, the"
            " number of training series that data.validation and data.test leave."
        )
    train = np.concatenate([values for _, (_, values) in found.parts[0]])
    if isinstance(config, SeriesTableConfig):
        where = f"data.path={config.path}"
        mean, std = mean_and_deviation(train, found.columns, where, "training series")
    else:
        mean, std = mean_and_deviation_where_known(train)
    if max(len(times) for _, (times, _) in found.parts[0]) < 2:
        raise DataError(
            f"data={config.name}: each training series has one point, so that there is no course of"
            " time to learn; give series of two points or more."
        )
    about = []
    if isinstance(config, SeriesTableConfig):
        every = {name: points for part in found.parts for name, points in part}
        start, scale = time_units(config, every, (times for _, (times, _) in found.parts[0]))
        about = [f"data.path: {found.read_as}", about_times(config.time, start, scale)]
    else:
        start = min(float(times[0]) for part in found.parts for _, (times, _) in part)
        scale = suitable_scale(max(float(times[-1]) for _, (times, _) in found.parts[0]) - start)
        about = [f"time is divided by {scale:.6g} for the model" if scale != 1.0 else ""]
    centre, spread = torch.from_numpy(mean), torch.from_numpy(std)
    units = SeriesUnits(found.columns, centre, spread, start, scale)
    stream = random_stream(seed, Stream.SPLIT, 1)
    padded = [
        _padded(part, None if found.labels is None else found.labels[i], units, config, stream)
        for i, part in enumerate(found.parts)
    ]
    ids = [name for name, _ in found.parts[2]]
    return SeriesTable(padded, units, ids, found.classes, found.source, list(filter(None, about)))


def _collection(config: RealSeriesConfig, seed: int) -> Collection:
    if isinstance(config, GlucoseConfig):
        return read_glucose(config, seed)
    if isinstance(config, ArchiveConfig):
        return read_archive(config, seed)
    if isinstance(config, HopperConfig):
        return simulate_hopper(config, seed)
    if isinstance(config, PhysionetConfig):
        return read_physionet(config, seed)
    columns, series, labels, read_as = read_series_file(config)
    stream = random_stream(seed, Stream.SPLIT)
    if config.label is None:
        parts = split_series(list(series.items()), config, stream)
        return Collection(columns, parts, read_as=read_as)
    classes = sorted(set(labels.values()), key=_natural_order)
    labelled = [
        ((name, points), classes.index(labels[name]) if name in labels else UNKNOWN)
        for name, points in series.items()
    ]
    shares = [config.validation, config.test]
    where = f"data.path={config.path} data.label={config.label}"
    labelled_parts = with_classes(columns, labelled, classes, shares, stream, where)
    return replace(labelled_parts, read_as=read_as)


def _padded(
    part: Sequence[Named],
    labels: Sequence[int] | None,
    units: SeriesUnits,
    config: RealSeriesConfig,
    stream: torch.Generator,
) -> AskedSeries:
    longest = max(len(times) for _, (times, _) in part)
    shape = (len(part), longest)
    times, roles = torch.zeros(shape), torch.zeros(shape, dtype=torch.int64)
    own_times = torch.zeros(shape, dtype=torch.float64)
    values = torch.zeros(*shape, len(units.columns))
    known = torch.zeros(*shape, len(units.columns), dtype=torch.bool)
    for i, (_, (at, measured)) in enumerate(part):
        n = len(at)
        standard = units.model_values(torch.from_numpy(measured))
        own_times[i, :n] = torch.from_numpy(at)
        times[i, :n] = units.model_times(own_times[i, :n], own_times[i, :1])
        known[i, :n] = torch.isfinite(standard)
        values[i, :n] = standard.nan_to_num(0.0)
        hidden = min(n - 1, round(config.hidden * n))
        own = torch.full((n,), ROLES["observed"])
        if config.mode == "extrapolation":
            own[n - hidden :] = ROLES["forward"]
        else:
            own[torch.randperm(n, generator=stream)[:hidden]] = ROLES["unseen"]
        roles[i, :n] = own
    classes = None if labels is None else torch.tensor(labels)
    series = Series(times, values, values.clone(), known, roles, classes)
    return all_asked(series, own_times)


def _natural_order(label: str) -> tuple[float, str]:
    """Numbers by their value, and before other texts."""
    try:
        return float(label), label
    except ValueError:
        return math.inf, label
