"""node-predict uses a task of the user's own, as docs/your-own-task.md has it."""

from textwrap import indent

import numpy as np
import pytest
from commands import run_here
from plugins.small_task import SMALL
from plugins.test_docs import PREDICTING

from node_cli.predict_cli import node_predict as node_predict_function

FLAG = ("--plugin", "pendulum.py")
KEEP = ("trainer.keep_predictions=true", "hydra.run.dir=run")


@pytest.fixture
def node_predict(tmp_path):
    def node_predict(*words, **environment):
        return run_here(node_predict_function, words, tmp_path, **environment)

    return node_predict


@pytest.fixture
def predicting(tmp_path, pendulum):
    """The file of the task pendulum, with what the page adds to it."""
    text = pendulum.read_text().replace("    DataSettings,\n", "    DataSettings,\n    Inputs,\n")
    text = text.replace("    OdeSolve,\n", "    OdeSolve,\n    Predictions,\n    Question,\n")
    before, after = text.split("    def figures(")
    pendulum.write_text(f"{before}{indent(PREDICTING, '    ')}\n    def figures({after}")
    return pendulum


def test_a_task_without_predictions_is_refused(node_train, node_predict, trained):
    (trained.parent / "starts.csv").write_text("0,1\n")
    done = node_predict("run", "starts.csv", "-o", "out.csv", *FLAG)
    assert (done.returncode, done.stdout) == (2, "")
    told = "task=pendulum has no predictions, as its class has no method predict.\n"
    assert done.stderr == f"node-predict: {told}"
    done = node_train(*FLAG, *SMALL, *KEEP[:1], "hydra.run.dir=other")
    assert (done.returncode, done.stderr) == (
        2,
        f"node-train: trainer.keep_predictions=true: {told}",
    )


def test_what_the_page_adds_predicts(tmp_path, node_train, node_predict, predicting):
    done = node_train(*FLAG, *SMALL, *KEEP)
    assert done.returncode == 0, done.stderr
    kept = np.genfromtxt(tmp_path / "run" / "predictions.csv", delimiter=",", names=True)
    assert kept.dtype.names == ("time", "angle", "velocity")
    starts = kept[kept["time"] == 0][:3]
    np.save(tmp_path / "starts.npy", np.stack((starts["angle"], starts["velocity"]), axis=1))
    done = node_predict("run", "starts.npy", "-o", "out.npy", *FLAG)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npy")
    assert np.allclose(found[:, 1], kept["angle"][: len(found)], atol=1e-3)
    assert (
        node_predict("run", "starts.npy", "-o", "a.npy", NODE_CLI_PLUGINS="pendulum.py").returncode
        == 0
    )
    missing = node_predict("run", "starts.npy", "-o", "b.npy")
    assert missing.returncode == 2
    assert "it was made with the plugin pendulum.py, which is not in use" in missing.stderr
    predicting.write_text(predicting.read_text() + "\n")
    changed = node_predict("run", "starts.npy", "-o", "b.npy", *FLAG)
    assert changed.returncode == 2
    assert "has changed since it was made" in changed.stderr
    assert not (tmp_path / "b.npy").exists()
