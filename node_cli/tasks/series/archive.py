"""Series with classes of the UEA archive (Bagnall et al. 2018) that ship in aeon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from node_cli.data.installed_package import installed, installed_file
from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Named, Points
from node_cli.errors import DataError
from node_cli.tasks.series.collection import Collection, with_classes
from node_cli.tasks.series.stream import Stream

if TYPE_CHECKING:
    from node_cli.tasks.series.schema import ArchiveConfig

_PACKAGE = "aeon"


class _DataSet(NamedTuple):
    """What is known of a data set beside its file.

    Attributes:
        problem: its name in the archive.
        step: time from point to point.
        about: what it is and under which licence.
    """

    problem: str
    step: float
    about: str


_DATA_SETS: dict[str, _DataSet] = {
    "japanese-vowels": _DataSet(
        "JapaneseVowels",
        1.0,  # a frame of the analysis
        "two Japanese vowels of nine speakers (Kudo, Toyama and Shimbo 1999), CC BY 4.0",
    ),
    "basic-motions": _DataSet(
        "BasicMotions",
        0.1,  # seconds
        "motions of a wrist (UEA archive), whose authors name no licence",
    ),
}


def read_archive(config: ArchiveConfig, seed: int) -> Collection:
    """Read a data set with the test set that its authors chose.

    Of each class ``config.validation`` of the training series are held out, at random by ``seed``.

    Raises:
        DataError: the package is not installed, or a file is not what it was.
    """
    chosen = _DATA_SETS[config.name]
    read = {}
    for part in ("TRAIN", "TEST"):
        place = f"datasets/data/{chosen.problem}/{chosen.problem}_{part}.ts"
        path = installed_file(config.name, _PACKAGE, "aeon", place)
        read[part] = read_ts_file(path, chosen.step)
    series, labels, classes = read["TRAIN"]
    test_series, test_labels, test_classes = read["TEST"]
    if classes != test_classes:
        raise DataError(f"data={config.name}: the classes of its two files are not the same.")
    _, (_, first) = series[0]
    columns = [f"x{number}" for number in range(1, first.shape[1] + 1)]
    stream = random_stream(seed, Stream.SPLIT)
    pairs = list(zip(series, labels, strict=True))
    found = with_classes(
        columns, pairs, classes, [config.validation], stream, f"data={config.name}"
    )
    return replace(
        found,
        parts=[*found.parts, test_series],
        labels=[*(found.labels or ()), test_labels],
        source=f"{chosen.about}; read from {installed(_PACKAGE)}",
    )


def read_ts_file(path: Path, step: float) -> tuple[list[Named], list[int], list[str]]:
    """Read a ``.ts`` file of the archive, whose times are 0, ``step``, 2 ``step``, ...

    Lines that begin with ``@`` describe it; each line after ``@data`` is a series: its dimensions
    between colons, the values of each between commas (``?``: missing), and its class.

    Returns:
        The series, whose ids are their places from 1 on, the number of the class of each, and the
        classes in the file's order.

    Raises:
        DataError: it cannot be read, or something in it is not as expected; with the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: this file cannot be read ({error}).") from error
    classes: list[str] = []
    series: list[Named] = []
    labels: list[int] = []
    in_data = False
    for number, text in enumerate(lines, 1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        if not in_data:
            words = line.split()
            if words[0].lower() == "@classlabel":
                classes = words[2:]
            in_data = words[0].lower() == "@data"
            continue
        *dimensions, label = line.split(":")
        values = _columns(dimensions)
        if values is None or label.strip() not in classes:
            raise DataError(f"{path}, line {number}: this is no series of numbers with its class.")
        labels.append(classes.index(label.strip()))
        points: Points = (step * np.arange(len(values)), values)
        series.append((str(len(series) + 1), points))
    if not series:
        raise DataError(f"{path}: there is no series in this file.")
    if len({values.shape[1] for _, (_, values) in series}) > 1:
        raise DataError(f"{path}: its series have different numbers of dimensions.")
    return series, labels, classes


def _columns(dimensions: Sequence[str]) -> np.ndarray | None:
    """``[P, D]``; None where they are no numbers, or not equally many."""
    try:
        columns = [
            [math.nan if cell.strip() == "?" else float(cell) for cell in dimension.split(",")]
            for dimension in dimensions
        ]
    except ValueError:
        return None
    if len({len(column) for column in columns}) != 1:
        return None
    values: np.ndarray = np.array(columns).T
    return values
