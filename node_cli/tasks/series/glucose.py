"""Continuous glucose of one person, from bokeh-sampledata."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from node_cli.data.installed_package import installed, installed_file
from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Points, in_three_parts
from node_cli.errors import DataError
from node_cli.tasks.series.collection import Collection
from node_cli.tasks.series.stream import Stream

if TYPE_CHECKING:
    from node_cli.tasks.series.schema import GlucoseConfig

_PACKAGE = "bokeh-sampledata"


def read_glucose(config: GlucoseConfig, seed: int) -> Collection:
    """Each part of a day is a series: glucose in mg/dl against the hours since it began.

    The parts are of ``config.hours`` from midnight on. A sensor measures every five minutes, but
    for hours in which it does not; a part with one measurement is left out. The first days are for
    training and the last ones for the test, as one would use a forecast. Of each part
    ``config.points`` measurements are kept at random.

    Raises:
        DataError: the package is not installed, or its file is not what it was.
    """
    path = installed_file(config.name, _PACKAGE, "bokeh_sampledata", "_data/CGM.csv.gz")
    stream = random_stream(seed, Stream.KEPT)
    series = [
        (name, _thinned(part, config.points, stream))
        for name, part in _parts(path, config.hours).items()
    ]
    source = (
        f"glucose of one person in 2010, public domain, {config.hours} hours a series; read from"
        f" {installed(_PACKAGE)}"
    )
    return Collection(["glucose"], in_three_parts(series, config), source=source)


def _parts(path: Path, hours: int) -> dict[str, Points]:
    """Times and values by the beginning of each part of a day.

    Where two have the same time, it is their mean.
    """
    measured: dict[tuple[date, int], dict[float, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                at = datetime.fromisoformat(row["datetime"])
                part, seconds = divmod(3600 * at.hour + 60 * at.minute + at.second, 3600 * hours)
                measured[at.date(), part][seconds / 3600].append(float(row["glucose"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path}: this is not the file of measurements that was expected ({error}). Install"
            f" {_PACKAGE} again."
        ) from error
    return {
        f"{day} {hours * part:02}:00": (
            np.array(sorted(values)),
            np.array([[np.mean(values[time])] for time in sorted(values)]),
        )
        for (day, part), values in sorted(measured.items())
        if len(values) > 1
    }


def _thinned(part: Points, points: int | None, stream: torch.Generator) -> Points:
    times, values = part
    if points is None or points >= len(times):
        return part
    kept = torch.randperm(len(times), generator=stream)[:points].sort().values.numpy()
    return times[kept], values[kept]
