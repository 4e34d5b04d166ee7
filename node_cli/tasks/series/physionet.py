"""The files of the PhysioNet/Computing in Cardiology Challenge 2012 (Silva et al. 2012)."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from node_cli.data.random_streams import random_stream
from node_cli.data.series_file import Named, Points
from node_cli.errors import DataError
from node_cli.run_folder.own_files import absolute
from node_cli.tasks.series.class_scores import UNKNOWN
from node_cli.tasks.series.collection import Collection, with_classes
from node_cli.tasks.series.stream import Stream

if TYPE_CHECKING:
    from node_cli.tasks.series.schema import PhysionetConfig

# Of a stay on admission; -1 stands for what is not known.
_DESCRIPTORS = ("Age", "Gender", "Height", "ICUType", "Weight")
# All that Rubanova et al. 2019 take, in their order.
VARIABLES = (
    *_DESCRIPTORS,
    *("Albumin", "ALP", "ALT", "AST", "Bilirubin", "BUN", "Cholesterol", "Creatinine", "DiasABP"),
    *("FiO2", "GCS", "Glucose", "HCO3", "HCT", "HR", "K", "Lactate", "Mg", "MAP", "MechVent", "Na"),
    *("NIDiasABP", "NIMAP", "NISysABP", "PaCO2", "PaO2", "pH", "Platelets", "RespRate", "SaO2"),
    *("SysABP", "Temp", "TroponinI", "TroponinT", "Urine", "WBC"),
)
_OUTCOME = "In-hospital_death"
_CLASSES = ("survived", "died")
_SOURCE = "stays in intensive care (PhysioNet Challenge 2012, Silva et al.), ODC-By 1.0"
_HEADER = ["Time", "Parameter", "Value"]


def read_physionet(config: PhysionetConfig, seed: int) -> Collection:
    """Read the stays of the sets that are asked for, and whether each ended with death.

    ``root`` holds a folder such as ``set-a`` with a file for each stay, and ``Outcomes-a.txt``,
    for each set. Times are hours since admission, brought to a grid of ``config.quantum`` hours;
    the values of a variable that fall on one point are averaged. Shares of the stays with either
    outcome are held out at random by ``seed``.

    Raises:
        DataError: a file is missing, or something in it is not as expected; with the line.
    """
    assert config.root is not None
    root = absolute(Path(config.root))
    series: list[tuple[Named, int]] = []
    for name in config.sets:
        folder = root / f"set-{name}"
        outcomes = _outcomes(root / f"Outcomes-{name}.txt")
        files = sorted(folder.glob("*.txt"))
        if not files:
            raise DataError(
                f"data.root={config.root}: there is no folder set-{name} with files of stays in it;"
                " unpack the files of the challenge there."
            )
        for file in files:
            label = outcomes.get(file.stem, UNKNOWN)
            series.append(((file.stem, _stay(file, config.quantum)), label))
    found = with_classes(
        VARIABLES,
        series,
        _CLASSES,
        [config.validation, config.test],
        random_stream(seed, Stream.SPLIT),
        f"data.root={config.root}",
    )
    return replace(found, source=_SOURCE)


def _stay(path: Path, quantum: float) -> Points:
    """Hours and values of the 41 variables, of which most are missing at most times."""
    found: dict[float, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line, time, name, value in _rows(path):
        if name in ("RecordID", ""):
            continue
        hours, number = _hours(time), _finite(value)
        if name not in VARIABLES or hours is None or number is None:
            raise DataError(
                f"{path}, line {line}: {time},{name},{value} is not a time such as 07:30, one of"
                f" the {len(VARIABLES)} variables of the challenge and a number."
            )
        if name in _DESCRIPTORS and number < 0:
            continue
        if quantum:
            hours = round(hours / quantum) * quantum
        found[hours][VARIABLES.index(name)].append(number)
    times = sorted({0.0, *found})
    values = np.full((len(times), len(VARIABLES)), math.nan)
    for row, hours in enumerate(times):
        for column, numbers in found.get(hours, {}).items():
            values[row, column] = math.fsum(numbers) / len(numbers)
    return np.array(times), values


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    lines = _lines(path)
    if not lines or [cell.strip() for cell in lines[0]] != _HEADER:
        raise DataError(f"{path}: its first line is not {','.join(_HEADER)}.")
    for number, row in enumerate(lines[1:], 2):
        if len(row) == 3:
            yield number, row[0].strip(), row[1].strip(), row[2].strip()
        elif row:
            raise DataError(f"{path}, line {number}: {len(row)} values; it must have 3.")


def _outcomes(path: Path) -> dict[str, int]:
    """By the name of each stay, 1 where it ended with death."""
    lines = _lines(path)
    header = [cell.strip() for cell in lines[0]] if lines else []
    if "RecordID" not in header or _OUTCOME not in header:
        raise DataError(f"{path}: its first line does not name RecordID and {_OUTCOME}.")
    at_id, at_outcome = header.index("RecordID"), header.index(_OUTCOME)
    found = {}
    for number, row in enumerate(lines[1:], 2):
        if not row:
            continue
        outcome = row[at_outcome].strip() if len(row) == len(header) else ""
        if outcome not in ("0", "1"):
            raise DataError(f"{path}, line {number}: {_OUTCOME} must be 0 or 1.")
        found[row[at_id].strip()] = int(outcome)
    return found


def _lines(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    except FileNotFoundError:
        raise DataError(
            f"{path}: there is no such file. Name the folder that holds the files of the challenge"
            " with data.root=PATH."
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: this file cannot be read ({error}).") from error


def _hours(time: str) -> float | None:
    hours, colon, minutes = time.partition(":")
    if not (colon and hours.isascii() and hours.isdigit() and minutes.isdigit()):
        return None
    return int(hours) + int(minutes) / 60


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
