"""At which times each of a user's series is to be predicted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from node_cli.errors import ConfigError, DataError
from node_cli.tasks.prediction import Question

_CHOSEN = 101  # times of a series where none are asked for
_BEYOND = 0.5  # how far they go beyond its last time, of its length


def asked_times(
    question: Question, given: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """The times that are asked for of each series, in the units of the user's file.

    Where none are named they lie evenly between the first time that is given and the last, and
    beyond it as far as ``question.horizon`` says, or half of that way.

    Args:
        question: of the user.
        given: the times of each series in the file, increasing, by its id.

    Raises:
        ConfigError: there are none, and a series has only one time to choose some from.
        DataError: the times are for other series than those of the file.
    """
    named = question.times
    if isinstance(named, Mapping):
        strange, missing = named.keys() - given.keys(), given.keys() - named.keys()
        for ids, there, not_there in (
            (strange, "the file of times", "INPUT"),
            (missing, "INPUT", "the file of times"),
        ):
            if ids:
                raise DataError(
                    f"{there} has the series {min(ids)}, and {not_there} has not; both must be of"
                    " the same series."
                )
        return dict(named)
    if named is not None:
        return dict.fromkeys(given, named)
    return {name: _evenly(name, times, question.horizon) for name, times in given.items()}


def _evenly(name: str, times: NDArray[np.float64], horizon: float | None) -> NDArray[np.float64]:
    first, last = float(times[0]), float(times[-1])
    beyond = _BEYOND * (last - first) if horizon is None else horizon
    if first == last + beyond:
        raise ConfigError(
            f"series {name} has only the time {first:.15g}, so that it does not say how far to"
            " predict; give --times or --horizon."
        )
    return np.linspace(first, last + beyond, _CHOSEN, dtype=np.float64)


def merged(
    given: NDArray[np.float64], asked: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.bool_]]:
    """All times of a series in order, the places of those given, and which of all are asked for."""
    both = np.union1d(given, asked)
    return both, np.searchsorted(both, given), np.isin(both, asked)
