import os
import signal

import pytest

from node_cli.errors import Interrupted
from node_cli.sweeping.plan import SweepPlan
from node_cli.sweeping.stopping import Stopping, stop_file
from node_cli.training.interruption import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_between_cells_in_turn_a_signal_ends_the_sweep(tmp_path, number):
    plan = SweepPlan(tmp_path, (), 2)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as raised, Stopping(plan):
        os.kill(os.getpid(), number)
    assert raised.value.exit_code == 128 + number
    assert signal.getsignal(number) == before


def test_cells_elsewhere_are_told_by_a_file(tmp_path):
    plan = SweepPlan(tmp_path, (), 2, launcher="joblib")
    with StopRequest(stop_file(tmp_path)) as stop, Stopping(plan) as stopping:
        assert not stop
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping.signal_number == signal.SIGTERM
        stop._next_look = 0.0  # it looks once a second
        assert stop
        assert stop.signal_name == "SIGTERM"


def test_a_file_left_by_an_earlier_stop_does_not_stop_the_next(tmp_path):
    stop_file(tmp_path).touch()
    with Stopping(SweepPlan(tmp_path, (), 2, launcher="joblib")):
        assert not stop_file(tmp_path).exists()
