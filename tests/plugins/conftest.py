import pytest
from commands import run_here
from plugins.small_task import SMALL

from node_cli.new_cli import node_new as node_new_function


@pytest.fixture
def node_new(tmp_path):
    def node_new(*words):
        return run_here(node_new_function, words, tmp_path)

    return node_new


@pytest.fixture
def pendulum(tmp_path, node_new):
    """The file of the task pendulum, as node-new writes it."""
    assert node_new("pendulum").returncode == 0
    return tmp_path / "pendulum.py"


@pytest.fixture
def trained(tmp_path, node_train, pendulum):
    """The folder of a small run of it."""
    done = node_train("--plugin", "pendulum.py", *SMALL, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"
