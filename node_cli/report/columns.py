"""What runs are compared by: how each number is called and written."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

ERROR = "error"


@dataclass(frozen=True)
class Column:
    """A number that runs have.

    Attributes:
        name: of the column.
        title: in a table.
        axis: on the axis of a figure.
        shown: the number as text.
    """

    name: str
    title: str
    axis: str
    shown: Callable[[float], str] = "{:.4g}".format


def _megabytes(value: float) -> str:
    return f"{value / 1e6:.4g}"


COSTS = (
    Column("nfe_forward", "NFE-F", "NFE-F a step"),
    Column("nfe_backward", "NFE-B", "NFE-B a step"),
    Column("nfe", "NFE", "NFE-F + NFE-B a step"),
    Column("saved_bytes", "kept MB", "bytes kept for the backward pass", _megabytes),
    Column("device_peak_bytes", "device MB", "peak device memory in bytes", _megabytes),
    Column("rss_peak_bytes", "resident MB", "peak resident memory in bytes", _megabytes),
    Column("step_seconds", "ms a step", "seconds a step", lambda value: f"{1e3 * value:.4g}"),
    Column("seconds", "seconds", "seconds of training"),
)

_BY_NAME = {column.name: column for column in COSTS}


def column(name: str, metrics: Collection[tuple[str, str]]) -> Column:
    """How a column is called and written.

    Args:
        name: of the column.
        metrics: of the runs: the name of the metric that their errors are, and its goal.
    """
    if name != ERROR:
        return _BY_NAME.get(name, Column(name, name, name))
    if len(metrics) != 1:
        return Column(ERROR, "test error", "test error")
    ((metric, goal),) = metrics
    if goal == "max":
        return Column(ERROR, "test error", f"test error (1 - {metric})")
    return Column(ERROR, f"test {metric}", f"{metric} of the test set")
