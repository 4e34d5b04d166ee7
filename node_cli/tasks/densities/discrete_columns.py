"""Columns of a few values, which have no density."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from node_cli.data.number_table import Table
from node_cli.data.random_streams import random_stream
from node_cli.errors import DataError
from node_cli.plain_text import plain_text
from node_cli.tasks.base import TrainingData
from node_cli.tasks.densities.stream import Stream

_REPEATS = 20  # of each value, on average: more than rounding to some digits makes of most columns


def discrete_steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest distance between two values of each discrete column; 0 for the others, ``[d]``.

    A column is discrete where each of its values stands in 20 rows or more, on average; values that
    are rounded to very few digits make it so too.

    Args:
        values: ``[N, d]``.
    """
    steps = np.zeros(values.shape[1])
    for number, column in enumerate(values.T):
        distinct = np.unique(column)
        if 1 < len(distinct) <= len(column) / _REPEATS:
            steps[number] = np.diff(distinct).min()
    return steps


def refuse_discrete(table: Table) -> None:
    """Refuse a table with discrete columns.

    Raises:
        DataError: it has one.
    """
    for name, step, column in zip(
        table.columns, discrete_steps(table.values), table.values.T, strict=True
    ):
        if step:
            raise DataError(
                f"data.path: the column {plain_text(name)} has {len(np.unique(column))} values in"
                f" {len(column)} rows: a discrete column has no density, and its NLL falls without"
                " bound. Use data.dequantize=true, which adds uniform noise as wide as the step"
                f" between two values (here {step:g}), leave the column out of the file, or take it"
                " as it is by data.dequantize=false."
            )


def dequantized(values: Tensor, steps: Tensor, stream: torch.Generator) -> Tensor:
    r"""Values with uniform noise from 0 to the step of their column (Uria et al. 2013).

    The density of what comes out, times the product of the steps, bounds the probability of the
    discrete values from below: :math:`\log P(x) \ge E_u \log p(x + u) + \sum_j \log s_j`.

    Args:
        values: ``[N, d]``.
        steps: ``[d]``; 0 where there is no noise.
        stream: of the noise.
    """
    noise = torch.rand(values.shape, dtype=values.dtype, generator=stream)
    return values + (noise * steps.to(values.dtype)).to(values.device)


class DequantizedBatches:
    """Training batches with new noise each time, a function of seed, epoch and index.

    Args:
        batches: without noise.
        steps: of each column, ``[d]``.
        seed: of the run.
    """

    def __init__(self, batches: TrainingData, steps: Tensor, seed: int) -> None:
        self._batches, self._steps, self._seed = batches, steps, seed

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._batches)

    def batch(self, epoch: int, index: int) -> Tensor:
        """Rows ``[B, d]``."""
        stream = random_stream(self._seed, Stream.DEQUANTIZATION, epoch, index)
        rows: Tensor = self._batches.batch(epoch, index)
        return dequantized(rows, self._steps, stream)
