import pytest

from node_cli.sweeping.time_left import time_left


@pytest.mark.parametrize(
    ("elapsed", "done", "to_do", "shown"),
    [
        (10.0, 0, 5, ""),
        (10.0, 5, 0, ""),
        (10.0, 5, 10, "20 s"),
        (60.0, 1, 5, "5 min"),
        (3600.0, 1, 3, "3.0 h"),
    ],
)
def test_it_goes_on_as_it_went_so_far(elapsed, done, to_do, shown):
    assert time_left(elapsed, done, to_do) == shown
