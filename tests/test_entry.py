"""Signals before a command has begun, in processes of their own."""

import os
import signal
import subprocess
import sys

import pytest

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
