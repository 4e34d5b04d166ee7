"""Small runs, and what their folders hold."""

import json
import os
import signal
import subprocess
import sys
import time

import torch

# The smallest run that goes through everything.
TINY = (
    "model.channels=4",
    "data.batch_size=16",
    "trainer.max_steps=6",
    "trainer.log_every=2",
    "trainer.threads=1",
    "trainer.figures=false",
    "solver=euler",
    "solver.step_size=0.5",
)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def numbers(folder):
    """Every logged scalar that does not depend on the machine."""
    varying = ("time/", "memory/rss", "memory/device")
    return [
        {tag: value for tag, value in line.items() if not tag.startswith(varying)}
        for line in lines(folder)
    ]


def weights(folder):
    content = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    return content["model"]


def same_weights(one, other):
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)


def same(one, other):
    """Also of what else a module keeps, such as the names of columns."""
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def started(folder, *words):
    """The real command, going on in ``folder``."""
    return subprocess.Popen(
        [sys.executable, "-m", "node_cli", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
        preexec_fn=with_usual_signals,
    )


def with_usual_signals():
    """As in a terminal; tests in the background, or under nohup, would pass on what they ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def until_logged(folder, count, process):
    """Wait until a run has written so many lines of metrics, while its process goes on."""
    metrics = folder / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") >= count):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
