"""What is said of series at the times that are asked for, as the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from node_cli.data.series_units import SeriesUnits
from node_cli.tasks.given_series import SeriesColumns
from node_cli.tasks.prediction import Predictions


def mean_and_bounds(curves: Tensor, band: float) -> dict[str, Tensor]:
    """The mean of sampled curves, and bounds between which a share of them lies.

    Args:
        curves: ``[K, ...]``.
        band: the share.

    Returns:
        Three of ``[...]``, float64 on the CPU, by the form of the names of their columns.
    """
    # A mean in single precision is rounded by its place among the others.
    curves = curves.cpu().double()
    bounds = (1 - band) / 2, (1 + band) / 2
    low, high = torch.from_numpy(np.quantile(curves.numpy(), bounds, axis=0))
    return {"{}": curves.mean(dim=0), "{}_low": low, "{}_high": high}


def series_rows(
    found: Mapping[str, Tensor],
    at: Tensor,
    asked: Tensor,
    columns: SeriesColumns,
    units: SeriesUnits,
) -> Predictions:
    """A row for each point that is asked for: its time, and what is said of each value.

    Args:
        found: of the R points that are asked for, in the units of the model, each ``[R, D]`` on the
            CPU, by the form of the names of its columns, such as ``{}_low``.
        at: times as the user has them, float64 ``[N, P]``.
        asked: which points, bool ``[N, P]``.
        columns: their names.
        units: of the model.
    """
    names = [form.format(name) for name in columns.values for form in found]
    own = [units.own_values(part) for part in found.values()]
    values = torch.stack(own, dim=-1).flatten(start_dim=1)
    times = at[asked].cpu().unsqueeze(1)
    rows = torch.cat((times, values), dim=1)
    return Predictions([columns.time, *names], rows, asked.nonzero()[:, 0])
