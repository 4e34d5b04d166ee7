"""What a trained flow is given: points whose density is asked for, or how many to draw."""

from __future__ import annotations

import sys

import torch

from node_cli.data.number_table import Table
from node_cli.errors import ConfigError, DataError
from node_cli.free_memory import free_bytes
from node_cli.tasks.densities.normalizing_flow import NormalizingFlow


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
