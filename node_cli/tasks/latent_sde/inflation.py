"""Monthly core inflation of the USA, from the package arch."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import torch

from node_cli.data.installed_package import installed, installed_file
from node_cli.data.series_units import SeriesUnits
from node_cli.errors import DataError
from node_cli.tasks.latent_sde.data_set import DataSet
from node_cli.tasks.latent_sde.schema import InflationConfig
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, OneSeries, Series

_PACKAGE = "arch"
_SERIES = "CPILFESL"  # consumer prices without food and energy, seasonally adjusted
_YEAR = 12  # months
_RATE = "rate"  # over a year, in per cent: the name of the column
SPAN = 2.0  # that the observed part of a window takes in the time of the model


def inflation(config: InflationConfig) -> DataSet:
    """Windows of the rate of inflation over twelve months, standardised.

    The first months are for training, the last ones for the test, as one would use a forecast;
    no window lies in two parts. Training windows have the observed months only.

    Raises:
        DataError: the package is not installed, its file is not what it was, or the months do not
            suffice.
    """
    path = installed_file(config.name, _PACKAGE, "arch", "data/core_cpi/core-cpi.csv.gz")
    prices = _prices(path)
    rates = 100 * np.log(prices[_YEAR:] / prices[:-_YEAR])
    held = [round(share * len(rates)) for share in (config.validation, config.test)]
    bounds = np.cumsum([len(rates) - sum(held), held[0]])
    train, *others = np.split(rates, bounds)
    mean, std = train.mean(), train.std()
    parts = [
        _windows("training", (train - mean) / std, config, 0),
        *(
            _windows(name, (part - mean) / std, config, config.forward)
            for name, part in zip(("validation", "test"), others, strict=True)
        ),
    ]
    if len(parts[0]) < config.batch_size:
        raise DataError(
            f"data.batch_size={config.batch_size}: must be at most {len(parts[0])}, the number of"
            " training windows."
        )
    source = (
        "rate of inflation over twelve months without food and energy, U.S. Bureau of Labor"
        f" Statistics, public domain; read from {installed(_PACKAGE)}"
    )
    at = [torch.arange(part.times.shape[1]).double().expand(part.times.shape) for part in parts]
    centre, scale = (torch.tensor([number], dtype=torch.float64) for number in (mean, std))
    units = SeriesUnits([_RATE], centre, scale, None, (config.points - 1) / SPAN)
    return DataSet.numbered(parts, at, units, source, torch.from_numpy(prices))


def _prices(path: Path) -> np.ndarray:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            prices = np.array([float(row[_SERIES]) for row in csv.DictReader(file)])
    except (OSError, EOFError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path}: this is not the file of prices that was expected ({error}). Install"
            f" {_PACKAGE} again."
        ) from error
    if len(prices) <= _YEAR or not (prices > 0).all():
        raise DataError(f"{path}: this is not the file of prices that was expected.")
    return prices


def _windows(name: str, rates: np.ndarray, config: InflationConfig, forward: int) -> Series:
    length = config.points + forward
    starts = range(0, len(rates) - length + 1, config.stride)
    if not starts:
        further = f" data.forward={forward}" if forward else ""
        raise DataError(
            f"data.points={config.points}{further}: a window of {length} months does not fit into"
            f" the {len(rates)} months of {name}; make them smaller, or change data.validation and"
            " data.test."
        )
    times = torch.arange(length) * (SPAN / (config.points - 1))
    roles = torch.where(torch.arange(length) < config.points, OBSERVED, FORWARD)
    return Series.padded(
        [
            OneSeries(times, torch.from_numpy(rates[a : a + length, None]).float(), roles)
            for a in starts
        ]
    )
