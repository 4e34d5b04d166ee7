"""What Hydra changes in a process, which may be a notebook, is put back."""

import logging

import pytest
from hydra.core.hydra_config import HydraConfig
from runs import TINY

from node_cli.cli import node_train


@pytest.fixture
def own_log(tmp_path):
    """The log file of a script or notebook, as ``logging.basicConfig`` sets it up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    own = logging.FileHandler(tmp_path / "own.log", mode="w")
    root.handlers[:] = [own]
    root.setLevel(logging.ERROR)
    yield own
    own.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    "words",
    [
        ["--info", "config"],
        ["--cfg", "job"],
        ["-m", "seed=0,1", "--dry-run"],
        [*TINY, "hydra.run.dir=run", "hydra.verbose=[hydra]"],
    ],
    ids=["info", "cfg", "dry-run", "run"],
)
def test_logs_and_config_are_as_they_were(words, own_log, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    root, hydra = logging.getLogger(), logging.getLogger("hydra")

    def state():
        config = HydraConfig.instance().cfg
        return root.handlers[:], root.level, hydra.level, logging.raiseExceptions, config

    before = state()
    assert own_log in root.handlers
    assert node_train(words) == 0
    assert state() == before
    root.error("still mine")
    assert (tmp_path / "own.log").read_text().endswith("still mine\n")
