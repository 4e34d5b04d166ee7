import pytest
from commands import run_apart, run_here
from predictions import RUNS, trained

from node_cli.flow_cli import node_flow as node_flow_function
from node_cli.predict_cli import node_predict as node_predict_function


@pytest.fixture
def node_train_process(tmp_path):
    """As ``node_train``, where the process itself is tested."""

    def node_train_process(*words, cwd=tmp_path, **environment):
        return run_apart(words, cwd, **environment)

    return node_train_process


@pytest.fixture
def node_flow(tmp_path):
    def node_flow(*words, cwd=tmp_path):
        return run_here(node_flow_function, words, cwd)

    return node_flow


@pytest.fixture
def node_predict(tmp_path):
    def node_predict(*words, cwd=tmp_path, **environment):
        return run_here(node_predict_function, list(map(str, words)), cwd, **environment)

    return node_predict


@pytest.fixture
def refused(node_predict, tmp_path):
    """The one sentence with which node-predict ends; no file has come or changed."""

    def refused(*words):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        done = node_predict(*words)
        assert done.returncode in (1, 2), done.stdout
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
        (line,) = done.stderr.splitlines()
        assert line.startswith("node-predict: ")
        assert line.isprintable()
        return line.removeprefix("node-predict: ")

    return refused


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """The run of a family, trained once."""
    found = {}

    def run_of(name):
        if name not in found:
            found[name] = trained(tmp_path_factory.mktemp(name), RUNS[name])
        return found[name]

    return run_of


@pytest.fixture
def run_folder(tmp_path):
    """The folder of the only run so far."""

    def run_folder():
        (folder,) = (tmp_path / "outputs" / "mnist-odenet").glob("2*")
        return folder

    return run_folder
