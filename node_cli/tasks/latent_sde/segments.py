"""One series: points on two segments of a cosine."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.data.series_units import SeriesUnits
from node_cli.tasks.latent_sde.data_set import DataSet
from node_cli.tasks.latent_sde.schema import OuSegmentsConfig
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, UNSEEN, OneSeries, Series
from node_cli.tasks.latent_sde.stream import Stream

_SEGMENTS = ((0.3, 0.8, 10), (1.2, 1.5, 10))  # first time, last time and points
_END = 2.0
_HELD_OUT = 40  # points of a grid over the whole interval, of which those on segments are left out


def ou_segments(config: OuSegmentsConfig, seed: int) -> DataSet:
    r"""The series for training, and the same with what is held out for validation and test.

    It is :math:`\cos 2 \pi t` at ten times in [0.3, 0.8] and ten in [1.2, 1.5]; held out are other
    times in [0, 2], not the same ones for validation and test.
    """
    observed = torch.cat([torch.linspace(*segment, dtype=torch.float64) for segment in _SEGMENTS])
    stream = random_stream(seed, Stream.SEGMENTS)
    noise = config.noise * torch.randn(len(observed), generator=stream, dtype=torch.float64)
    shown = (2 * math.pi * observed).cos() + noise
    step = _END / _HELD_OUT
    parts, at = [], []
    for held_out in (observed[:0], _beside(step / 4, step), _beside(3 * step / 4, step)):
        noise = config.noise * torch.randn(len(held_out), generator=stream, dtype=torch.float64)
        times = torch.cat((observed, held_out))
        values = torch.cat((shown, (2 * math.pi * held_out).cos() + noise))
        roles = torch.full((len(times),), OBSERVED)
        roles[len(observed) :] = torch.where(held_out > observed[-1], FORWARD, UNSEEN)
        order = times.argsort()
        at.append(times[order].unsqueeze(0))
        parts.append(
            Series.padded(
                [OneSeries(times[order].float(), values[order, None].float(), roles[order])]
            )
        )
    return DataSet.numbered(parts, at, SeriesUnits.unchanged(["x"]))


def _beside(first: float, step: float) -> Tensor:
    """The times of a grid that lie on no segment."""
    times = first + step * torch.arange(_HELD_OUT, dtype=torch.float64)
    on_one = torch.zeros_like(times, dtype=torch.bool)
    for start, end, _ in _SEGMENTS:
        on_one |= (times >= start) & (times <= end)
    return times[~on_one]
