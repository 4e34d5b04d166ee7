"""The unit and the origin of times: a user's may be seconds since 1970, and models want few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from node_cli.data.series_file import Points
from node_cli.errors import DataError
from node_cli.schema.series_file import SeriesFileConfig

Times = NDArray[np.float64]

# Spans with which models begin well: their fields change a state of size 1 by about 1 in a unit.
_SHORTEST, _LONGEST, _USUAL = 1.0, 20.0, 5.0
_APART = 10.0  # times the longest series, over which their starts are spread


def time_units(
    config: SeriesFileConfig, series: Mapping[str, Points], training: Iterable[Times]
) -> tuple[float | None, float]:
    """The origin of times and their scale, as the ``data`` group says or as they are found.

    All of it is computed in double precision.

    Args:
        config: with ``origin`` and ``time_scale``.
        series: of the whole file, by their ids.
        training: times of the training series, which decide the scale where it is to be found.

    Returns:
        The time that becomes 0, None where that is the first of each series; and the number that
        times are divided by.

    Raises:
        DataError: two times of a series would become one.
    """
    times = {name: at for name, (at, _) in series.items()}
    starts = np.array([at[0] for at in times.values()])
    longest = max(float(at[-1] - at[0]) for at in times.values())
    apart = bool(longest > 0 and np.ptp(starts) > _APART * longest)
    own = config.origin == "series" or (config.origin == "auto" and apart)
    origin = None if own else float(starts.min())
    scale = config.time_scale
    if scale is None:
        spans = (float(at[-1] - (at[0] if own else starts.min())) for at in training)
        scale = suitable_scale(max(spans))
    _refuse_collisions(config, times, origin, scale)
    return origin, scale


def about_times(name: str, origin: float | None, scale: float) -> str:
    """How times were changed, in words; empty: only the earliest was made 0."""
    parts = []
    if scale != 1.0:
        parts.append(f"{name} is divided by {scale:.6g} for the model (data.time_scale)")
    if origin is None:
        parts.append(f"{name} counts from the start of each series (data.origin)")
    return ", ".join(parts)


def suitable_scale(span: float) -> float:
    """What times are divided by where the longest training series spans ``span``."""
    return 1.0 if span == 0 or _SHORTEST <= span <= _LONGEST else span / _USUAL


def _refuse_collisions(
    config: SeriesFileConfig, times: Mapping[str, Times], origin: float | None, scale: float
) -> None:
    for name, at in times.items():
        single = ((at - (at[0] if origin is None else origin)) / scale).astype(np.float32)
        same = np.flatnonzero(np.diff(single) <= 0)
        if len(same):
            first, second = at[same[0]], at[same[0] + 1]
            advice = _advice(config, origin)
            raise DataError(
                f"data.path={config.path}: the times {first:.15g} and {second:.15g} of"
                f" {config.id} {name} become one in single precision, so far are they from"
                f" {'the start of the series' if origin is None else f'{origin:.15g}, the origin'};"
                f" {advice}."
            )


def _advice(config: SeriesFileConfig, origin: float | None) -> str:
    if origin is not None:
        return "use data.origin=series, which counts them from the start of each series"
    return "cut the series into shorter ones, or leave one of the two rows out"
