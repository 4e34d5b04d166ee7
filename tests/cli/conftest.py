import os
import subprocess
import sys

import pytest


@pytest.fixture
def node_train(tmp_path):
    """Runs the real command in an empty folder; returns what it printed and its exit code."""

    def node_train(*arguments, cwd=tmp_path, **environment):
        return subprocess.run(
            [sys.executable, "-m", "node_cli", *arguments],
            cwd=cwd,
            env={**os.environ, "COLUMNS": "100", **environment},
            capture_output=True,
            text=True,
            timeout=240,
        )

    return node_train


@pytest.fixture
def run_folder(tmp_path):
    """The folder of the only run so far."""

    def run_folder():
        (folder,) = (tmp_path / "outputs" / "mnist-odenet").glob("2*")
        return folder

    return run_folder
