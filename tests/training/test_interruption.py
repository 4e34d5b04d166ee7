import os
import signal
import threading

import pytest

from node_cli.training.interruption import StopRequest


@pytest.fixture
def usual_hangup():
    """What a hang-up does to a process that was not started with nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_remembered(number, usual_hangup):
    with StopRequest() as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop
        assert stop.signal_number == number
        assert stop.signal_name == number.name


@pytest.fixture
def usual_ctrl_c():
    """Python's own answer to Ctrl-C, which processes in the background do not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_second_ctrl_c_acts_as_usual(usual_ctrl_c):
    def twice():
        with StopRequest():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_hangup_that_is_ignored_stays_so(usual_hangup):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop


def test_another_thread_answers_no_signals():
    def request():
        with StopRequest() as stop:
            handled.append(signal.getsignal(signal.SIGTERM))
            assert not stop

    handled = []
    thread = threading.Thread(target=request)
    thread.start()
    thread.join()
    assert handled == [signal.getsignal(signal.SIGTERM)]


def test_the_death_of_the_parent_is_a_request():
    died = []
    with StopRequest(orphaned=lambda: bool(died)) as stop:
        assert not stop
        died.append(True)
        assert not stop  # it looks once a second
        stop._next_look = 0.0
        assert stop
        assert stop.signal_name == "SIGTERM"
