import numpy as np
import pytest


@pytest.fixture
def run_on(node_train, tmp_path):
    """The folder of a run on a device; it has to finish."""

    def run_on(device, *words):
        folder = tmp_path / device
        done = node_train(*words, f"trainer.device={device}", f"hydra.run.dir={folder}")
        assert done.returncode == 0, done.stderr
        return folder

    return run_on


@pytest.fixture
def table(tmp_path):
    """A table of three columns that depend on each other."""
    path = tmp_path / "table.csv"
    rows = np.random.default_rng(0).normal(size=(200, 3))
    rows[:, 1] += rows[:, 0] ** 2
    np.savetxt(path, rows, delimiter=",", header="a,b,c", comments="")
    return path
