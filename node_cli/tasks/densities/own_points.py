"""What a trained flow is given: points whose density is asked for, or how many to draw."""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor

from node_cli.data.number_table import Table
from node_cli.errors import ConfigError, DataError, SolverError
from node_cli.free_memory import free_bytes
from node_cli.tasks.densities.normalizing_flow import NormalizingFlow

FARTHEST = 1e6  # standard deviations: beyond it single precision has no digits left for a field


def check_columns(model: NormalizingFlow, table: Table, subject: str) -> None:
    """Refuse points that are not like those of the run.

    Args:
        model: the flow.
        table: with the points.
        subject: what it is, with which a message begins.

    Raises:
        DataError: it has another number of columns, or columns of other names.
    """
    if len(table.columns) != model.dimensions:
        raise DataError(
            f"{subject} has {len(table.columns)} columns; the run's data have {model.dimensions}."
        )
    if table.named and table.columns != model.columns:
        raise DataError(
            f"{subject} has the columns {', '.join(table.columns)}; the run's data have"
            f" {', '.join(model.columns)}, in this order."
        )


def log_densities(model: NormalizingFlow, points: Tensor) -> Tensor:
    """Log-densities of points, each as far as it can be had.

    Points that are too far from the data for any solver have density 0. Others are solved together,
    and apart where one of them cannot be solved.

    Args:
        model: the flow.
        points: ``[N, d]``, in the units of the data.

    Returns:
        ``[N]``, in nats; minus infinity where the density is 0, not a number where no solver could
        tell it.
    """
    near = ((points - model.shift) / model.scale).abs().max(dim=1).values <= FARTHEST
    solved = _as_many_as_possible(model, points[near])
    found = solved.new_full((len(points),), -math.inf)
    found[near] = solved
    return found


def _as_many_as_possible(model: NormalizingFlow, points: Tensor) -> Tensor:
    if not len(points):
        return model.shift.new_zeros(0)
    try:
        likelihood: Tensor = model(points).log_density
        return likelihood
    except SolverError:
        if len(points) == 1:
            return model.shift.new_full((1,), math.nan)
        return torch.cat([_as_many_as_possible(model, half) for half in points.chunk(2)])


def refuse_too_many_samples(model: NormalizingFlow, count: int, option: str) -> None:
    """Before they are drawn.

    Args:
        model: the flow.
        count: of the samples.
        option: by which the user gave it, for messages.

    Raises:
        ConfigError: the memory does not hold them.
    """
    needed = count * model.dimensions * model.shift.element_size()
    free = free_bytes(torch.device("cpu"))
    if needed > (sys.maxsize if free is None else free):
        room = "" if free is None else f" and {free / 1e9:.1f} GB are free"
        raise ConfigError(
            f"{option} {count}: so many samples need {needed / 1e9:.1f} GB of memory{room}; draw"
            " fewer at a time, with another --seed each time."
        )
