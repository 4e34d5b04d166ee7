"""Signals before a command has begun, in processes of their own, and those that interrupt one."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from node_cli import entry
from node_cli.run_folder.writing import write_whole

# Stands for a heavy library: a signal comes in the midst of its import.
HEAVY = "import os, signal\nos.kill(os.getpid(), signal.{name})\nwhile True:\n    signal.pause()\n"


def end_of(folder, number, command):
    (folder / "hydra.py").write_text(HEAVY.format(name=number.name))
    (folder / "torch.py").write_text(HEAVY.format(name=number.name))
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from node_cli.entry import {command}\n"
        f"{command}()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "seed=1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        capture_output=True,
        timeout=120,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_python_imports_ends_at_once_and_quietly(tmp_path, number):
    done = end_of(tmp_path, number, "node_train")
    assert done.returncode == 128 + number
    assert done.stdout == done.stderr == b""
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"hydra.py", "torch.py"}


@pytest.fixture
def usual_signals(monkeypatch):
    """As in a process that was started in a terminal; put back afterwards."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    usual = {signal.SIGINT: signal.default_int_handler}
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {n: signal.signal(n, usual.get(n, signal.SIG_DFL)) for n in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_command_leaves_no_half_written_file(usual_signals, tmp_path, number):
    def half(file):
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), number)

    def node_flow(arguments):
        try:
            write_whole(tmp_path / "samples.csv", half)
        except KeyboardInterrupt:
            # A second signal ends the process at once.
            assert {signal.getsignal(n) for n in (2, 15, 1)} == {entry._end}
            return 130

    assert entry._interruptible(node_flow) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_outside_of_the_command_is_quiet_too(usual_signals):
    def node_flow(arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    assert entry._interruptible(node_flow) == 143


def all_of(master):
    """What a pseudo-terminal that nobody writes to any more still gives."""
    said = b""
    with suppress(OSError), os.fdopen(master, "rb", buffering=0) as read:
        while more := read.read(100):
            said += more
    return said


@pytest.mark.parametrize(("kind", "shown"), [("xterm", b"\x1b[?25h"), ("dumb", b"")])
def test_the_cursor_that_a_bar_has_hidden_comes_back(kind, shown):
    program = (
        "import os, signal\n"
        "from node_cli import entry\n"
        "entry._answer_signals(entry._end)\n"
        "os.write(1, b'.')\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    master, terminal = os.openpty()
    environment = {**os.environ, "TERM": kind, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run([sys.executable, "-c", program], stdout=terminal, env=environment)
    finally:
        os.close(terminal)
    assert done.returncode == 143
    assert all_of(master) == b"." + shown
