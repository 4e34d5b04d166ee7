"""Commands as a user gives them: in this process, which is cheap, or in one of their own."""

import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from unittest.mock import patch

import numpy as np
import torch

from node_cli.plugins.in_use import plugins_put_back

# What Python does not show in a process of its own, where pytest would.
_UNSHOWN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


def run_here(command, words, cwd, **environment):
    """Call a command's function; everything it changes in this process is put back.

    Args:
        command: ``node_train``, ``node_flow`` or ``node_report``.
        words: of the command line.
        cwd: the working folder.
        environment: variables that are set for this call.

    Returns:
        What ``subprocess.run`` would return, so that a test need not know which it was.
    """
    name = command.__name__.replace("_", "-")
    with ExitStack() as stack:
        out, err = (
            stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(2)
        )
        stack.enter_context(_process_as_it_was())
        stack.enter_context(chdir(cwd))
        stack.enter_context(patch.object(sys, "argv", [name, *words]))
        stack.enter_context(patch.dict(os.environ, {"COLUMNS": "100", **environment}))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.enter_context(_warnings_on_stderr())
        stack.enter_context(plugins_put_back())
        try:
            code = command(list(words))
        except SystemExit as end:
            code = end.code
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess([name, *words], code, out.read(), err.read())


def run_apart(words, cwd, module="node_cli", **environment):
    """Run a command in a process of its own, for what only a process shows."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


@contextmanager
def _process_as_it_was():
    root, raising = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level
    handled = {number: signal.getsignal(number) for number in signal.valid_signals()}
    numbers, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    threads, anomaly = torch.get_num_threads(), torch.is_anomaly_enabled()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.raiseExceptions = raising
        random.setstate(numbers)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_num_threads(threads)
        torch.autograd.set_detect_anomaly(anomaly)
    # Signals are no matter of tidiness: Ctrl-C must do what it did before the command.
    assert {number: signal.getsignal(number) for number in handled} == handled


@contextmanager
def _warnings_on_stderr():
    """As Python begins, so that a test that counts lines sees warnings too."""

    def show(message, category, filename, lineno, file=None, line=None):
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in _UNSHOWN:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show
        yield
