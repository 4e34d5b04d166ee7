"""The rows of a table, split for training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from node_cli.data.number_table import Table
from node_cli.data.random_streams import random_stream
from node_cli.data.standardisation import mean_and_deviation
from node_cli.errors import DataError
from node_cli.tasks.densities.stream import Stream


@dataclass(frozen=True)
class Split:
    """A table in three parts, and what standardises it.

    Attributes:
        train: ``[n, d]``, float64, as are the others: single precision would round away a column
            that varies little around a large number.
        validation: other rows.
        test: the rest.
        mean: of the training rows, ``[d]``.
        std: their standard deviation, ``[d]``, positive.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    mean: Tensor
    std: Tensor


def split_table(table: Table, validation: float, test: float, seed: int) -> Split:
    """Shuffle and split the rows, and measure the training part.

    Args:
        table: all rows.
        validation: share of the rows, between 0 and 1.
        test: likewise.
        seed: of the shuffle.

    Raises:
        DataError: a part has no row, or a column is constant in the training rows.
    """
    rows = len(table.values)
    order = torch.randperm(rows, generator=random_stream(seed, Stream.TABLE_SPLIT)).numpy()
    held = [max(1, round(share * rows)) for share in (validation, test)]
    if rows - sum(held) < 2:
        raise DataError(
            f"data.validation={validation:g} data.test={test:g}: of {rows} rows too few are left"
            " for training; use smaller shares or a larger file."
        )
    parts = np.split(table.values[order], np.cumsum(held))
    validated, tested, train = parts
    mean, std = mean_and_deviation(train, table.columns, "data.path", "training rows")
    return Split(*map(torch.from_numpy, (train, validated, tested, mean, std)))
