"""An existing run loses nothing: no refused, failed or second command changes its folder."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from commands import run_here
from runs import TINY, numbers, same_weights

from node_cli.cli import node_train as node_train_function
from node_cli.run_folder.folder_lock import FolderLock
from node_cli.training.loop import TrainingLoop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, in a folder of its own."""
    folder = tmp_path_factory.mktemp("finished")
    done = run_here(node_train_function, [*TINY, "hydra.run.dir=run"], folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run, under the same name."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def contents(folder):
    """All files with their content and the time of their last change."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("words", "code", "fragment"),
    [
        ("trainer.resume=run model.channels=5", 1, "model.channels=4 (now 5)"),
        ("trainer.resume=run optimizer=adam", 1, "optimizer.name=sgd (now adam)"),
        ("trainer.resume=run trainer.device=cuda:99", 2, "torch sees"),
        ("trainer.resume=run solver=rk5", 2, "did you mean"),
        ("seed=7 hydra.run.dir=run", 2, "already holds a run"),
    ],
)
def test_a_refused_command_changes_nothing(node_train, run, words, code, fragment):
    before = contents(run)
    done = node_train(*words.split())
    assert done.returncode == code
    assert fragment in done.stderr
    assert contents(run) == before
    # What was refused is not remembered either.
    assert node_train("trainer.resume=run").returncode == 0


def test_a_finished_run_is_told_and_stays_as_it_is(node_train, run):
    before = contents(run)
    for words in ([], ["trainer.max_steps=4"], ["optimizer.lr=0.5"]):
        done = node_train("trainer.resume=run", *words)
        assert done.returncode == 0, done.stderr
        assert "is finished, after 6 steps, by trainer.max_steps=" in done.stdout
        assert "nothing was changed. Give more of it to train on." in done.stdout
        assert contents(run) == before


@pytest.mark.parametrize("what", ["best.pt", "last.pt"])
def test_a_damaged_checkpoint_is_told_before_anything_changes(node_train, run, what):
    path = run / "checkpoints" / what
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    before = contents(run)
    done = node_train("trainer.resume=run", "trainer.max_steps=9")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{what} is damaged" in line
    assert contents(run) == before


def test_data_that_moved_or_changed_cost_a_finished_run_nothing(node_train, tmp_path):
    table = tmp_path / "points.csv"
    rows = torch.randn(60, 2, generator=torch.Generator().manual_seed(0)).tolist()
    table.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in rows))
    words = (
        "task=cnf-tabular data.path=points.csv data.batch_size=16 trainer.max_steps=2"
        " trainer.figures=false trainer.threads=1 hydra.run.dir=run"
    )
    assert node_train(*words.split()).returncode == 0
    before = contents(tmp_path / "run")
    for change in (lambda: table.write_text("x,y\n1,2\n3,4\n" * 30), table.unlink):
        change()
        done = node_train("trainer.resume=run", "trainer.max_steps=4")
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "points.csv" in line or "data.path has changed" in line
        assert contents(tmp_path / "run") == before


@pytest.mark.parametrize(
    "name", [".hydra", "checkpoints", "figures", "metrics.jsonl", "node-train.log", ".lock"]
)
def test_a_link_in_a_run_folder_is_told_before_anything_changes(node_train, run, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    if (run / name).exists():
        (run / name).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (run / name).symlink_to(elsewhere)
    before = contents(tmp_path)
    done = node_train("trainer.resume=run", "trainer.max_steps=9")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{name} is a link" in line
    assert contents(tmp_path) == before


def test_a_run_that_is_held_is_told_and_left_alone(node_train, run):
    before = contents(run)
    with FolderLock(run):
        for words in (["trainer.resume=run", "trainer.max_steps=9"], [*TINY, "hydra.run.dir=run"]):
            done = node_train(*words)
            assert done.returncode == 2
            (line,) = done.stderr.splitlines()
            assert f"another process works on it (process {os.getpid()}" in line
    assert contents(run) == before


def test_a_run_that_cannot_begin_leaves_no_folder(node_train, tmp_path):
    done = node_train("task=cnf-tabular", "data.path=none.csv", "hydra.run.dir=run")
    assert done.returncode == 1
    assert not (tmp_path / "run").exists()


def test_a_folder_with_the_users_own_files_is_used_and_they_stay(node_train, finished, tmp_path):
    figures = tmp_path / "run" / "figures"
    figures.mkdir(parents=True)
    (figures / "mine.png").write_bytes(b"mine")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert node_train(*TINY, "hydra.run.dir=run").returncode == 0
    assert (figures / "mine.png").read_bytes() == b"mine"
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert same_weights(tmp_path / "run", finished)


class Killed(BaseException):
    """What a kill at this moment would do: nothing of ours runs afterwards."""


@pytest.fixture
def killed(monkeypatch):
    """Makes a command die at the first call of a method of the training loop."""

    def killed(node_train, name, *words, before=True):
        method = getattr(TrainingLoop, name)

        def die(self, *arguments):
            if not before:
                method(self, *arguments)
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(TrainingLoop, name, die)
            with pytest.raises(Killed):
                node_train(*words)

    return killed


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    node_train, finished, killed, tmp_path
):
    killed(node_train, "save", *TINY, "hydra.run.dir=run")
    assert not (tmp_path / "run" / "checkpoints").exists()
    done = node_train(*TINY, "hydra.run.dir=run")  # the same command says what to do
    assert done.returncode == 2
    assert "trainer.resume=" in done.stderr
    done = node_train("trainer.resume=run")
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / "run") == numbers(finished)
    assert same_weights(tmp_path / "run", finished)


def test_a_run_has_a_checkpoint_before_its_first_step(node_train, finished, killed, tmp_path):
    killed(node_train, "train", *TINY, "hydra.run.dir=run")
    assert (tmp_path / "run" / "checkpoints" / "last.pt").exists()
    done = node_train("trainer.resume=run")
    assert done.returncode == 0, done.stderr
    assert "resumed at step 0" in done.stdout
    assert numbers(tmp_path / "run") == numbers(finished)
    assert same_weights(tmp_path / "run", finished)


def test_a_run_that_was_killed_in_its_test_is_tested_once_more(
    node_train, finished, killed, tmp_path
):
    killed(node_train, "test", *TINY, "hydra.run.dir=run", before=False)
    assert numbers(tmp_path / "run") == numbers(finished)  # the test is logged already
    done = node_train("trainer.resume=run")
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / "run") == numbers(finished)
    summaries = [
        json.loads((run / "summary.json").read_text()) for run in (tmp_path / "run", finished)
    ]
    assert summaries[0]["status"] == "finished"
    assert summaries[0]["final"]["loss/test"] == summaries[1]["final"]["loss/test"]


def test_checkpoints_that_were_deleted_cost_nothing_of_what_was_logged(node_train, run):
    shutil.rmtree(run / "checkpoints")
    before = contents(run)
    done = node_train("trainer.resume=run")
    assert done.returncode == 2
    assert "its checkpoints are gone" in done.stderr
    assert contents(run) == before


def test_what_killed_processes_left_is_removed_by_the_next_start(node_train, run):
    left = [run / ".summary.json.0123abcd.tmp", run / "checkpoints" / ".last.pt.0123abcd.tmp"]
    for path in left:
        path.write_bytes(b"half")
    assert node_train("trainer.resume=run").returncode == 0
    assert all(path.exists() for path in left)  # it was finished: nothing is changed
    assert node_train("trainer.resume=run", "trainer.max_steps=7").returncode == 0
    assert not any(path.exists() for path in left)


def test_a_signal_before_the_first_step_is_answered_after_it(node_train, tmp_path, monkeypatch):
    save = TrainingLoop.save

    def stop(self, path):
        save(self, path)
        if self.progress.step == 0:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(TrainingLoop, "save", stop)
    done = node_train(*TINY, "hydra.run.dir=run")
    assert done.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM after step 1" in done.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "interrupted"
