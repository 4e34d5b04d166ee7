"""Sweeps, tasks of one's own and a device that is not there."""

import json

import pytest
from commands import run_here
from cuda.small_runs import words_of
from plugins.small_task import SMALL

from node_cli.new_cli import node_new

pytestmark = pytest.mark.cuda


def test_a_sweep_of_two_cells(node_train, tmp_path):
    words = words_of("cnf-2d")
    done = node_train(
        "-m", *words, "adjoint=direct,full", "trainer.device=cuda", "hydra.sweep.dir=sweep"
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 cells finished" in done.stdout


def test_a_device_that_is_not_there_is_told_in_a_sentence(node_train, tmp_path):
    done = node_train("trainer.device=cuda:9", "hydra.run.dir=run")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("node-train: trainer.device=cuda:9: torch sees ")
    assert not (tmp_path / "run").exists()


def test_auto_is_the_gpu(node_train, tmp_path):
    done = node_train(*words_of("cnf-2d"), "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert "seed 0 · cuda" in done.stdout
    assert "device peak" in done.stdout
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["memory"]["device_peak_bytes"] > 0


def test_the_first_device_by_its_number(node_train):
    done = node_train(*words_of("cnf-2d"), "trainer.device=cuda:0", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert "seed 0 · cuda:0" in done.stdout


@pytest.mark.parametrize("mode", ["direct", "full", "checkpointed"])
def test_a_task_that_node_new_writes(node_train, tmp_path, mode):
    assert run_here(node_new, ["pendulum"], tmp_path).returncode == 0
    words = (*SMALL, "trainer.figures=true", f"adjoint={mode}", "trainer.device=cuda")
    done = node_train("--plugin", "pendulum.py", *words, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "figures" / "swings.png").exists()


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("swirl", "cnf-2d", "trace=hutchinson regularization=rnode"),
        ("swirl", "cnf-2d", "trace=exact adjoint=full"),
        ("my-conv", "mnist-odenet", "adjoint=checkpointed"),
    ],
)
def test_a_field_that_node_new_writes(node_train, tmp_path, name, task, words):
    assert run_here(node_new, [name, "--for", task], tmp_path).returncode == 0
    file = f"{name.replace('-', '_')}.py"
    words = (*words_of(task), f"model={name}", *words.split(), "trainer.device=cuda")
    done = node_train("--plugin", file, *words, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
