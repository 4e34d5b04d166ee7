"""Times of the user's, in units that suit a model."""

import numpy as np
import pytest

from node_cli.data.time_units import about_times, time_units
from node_cli.errors import DataError
from node_cli.schema.series_file import SeriesFileConfig


def config(**given):
    settings = {
        "name": "csv", "path": "x.csv", "id": "id", "time": "t", "mode": "interpolation",
        "hidden": 0.25, "validation": 0.1, "test": 0.1, "window": None, "batch_size": 2,
        "eval_batch_size": 2, "origin": "auto", "time_scale": None,
    }  # fmt: skip
    return SeriesFileConfig.model_validate(settings | given)


def series(*times):
    return {
        str(i): (np.array(at, np.float64), np.zeros((len(at), 1))) for i, at in enumerate(times)
    }


def units(found, **given):
    return time_units(config(**given), found, [at for at, _ in found.values()])


@pytest.mark.parametrize(
    ("factor", "scale"), [(1, 1.0), (4, 1.0), (73, 73.0), (17280, 17280.0), (0.01, 0.01)]
)
def test_the_scale_brings_long_and_short_spans_to_a_usual_one(factor, scale):
    found = series(np.linspace(0, 5, 9) * factor, np.linspace(0.1, 4, 5) * factor)
    assert units(found) == (0.0, pytest.approx(scale))
    assert units(found, time_scale=2.5) == (0.0, 2.5)


def test_training_series_decide_the_scale():
    found = series([0, 10], [0, 1000])
    assert time_units(config(), found, [found["0"][0]]) == (0.0, 1.0)


def test_series_that_are_far_apart_count_from_their_own_start():
    starts = 1.6e9 + 86400.0 * np.arange(10)
    found = series(*(start + np.arange(20) for start in starts))
    assert units(found) == (None, 1.0)
    assert "data.origin" in about_times("t", None, 1.0)
    near = series([0, 5], [3, 9])
    assert units(near) == (0.0, 1.0)
    assert units(near, origin="series") == (None, 1.0)
    assert about_times("t", 0.0, 1.0) == ""


def test_no_two_times_become_one():
    starts = 1.6e9 + 3e7 * np.arange(10)
    found = series(*(start + np.arange(20) for start in starts))
    with pytest.raises(DataError, match=r"16300000\d\d .*become one.*data\.origin=series"):
        units(found, origin="file", time_scale=1.0)
    with pytest.raises(DataError, match="become one"):
        units(series([0, 1, 1 + 1e-12], [0, 1]))


def test_a_lone_point_has_no_span():
    assert units(series([3.0], [3.0], [3.0])) == (3.0, 1.0)
