"""A disk that fails at any write costs one sentence, and nothing that was on it."""

import errno
import os
import shutil
import signal
import time
from functools import cache
from pathlib import Path

import pytest
from commands import run_here
from faults.whole_runs import differences
from runs import TINY

from node_cli.cli import node_train as node_train_function
from node_cli.run_folder import writing
from node_cli.training.loop import TrainingLoop

pytestmark = pytest.mark.slow

WORDS = (*TINY, "trainer.checkpoint_every=3", "hydra.run.dir=run")
DRAWN = "trainer.figures=true"
# Files, and whether the first or the last write to one fails.
PLACES = (
    ("config.yaml", 0),
    ("overrides.yaml", 0),
    ("node-train.log", 0),
    ("events.out.tfevents", 0),
    ("events.out.tfevents", -1),
    ("metrics.jsonl", 0),
    ("metrics.jsonl", -1),
    ("last.pt", 0),
    ("last.pt", -1),
    ("best.pt", 0),
    ("accuracy_per_epoch.png", 0),
    ("summary.json", 0),
)


@pytest.fixture
def node_train(tmp_path):
    return lambda *words: run_here(node_train_function, words, tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run on a disk that has room, and the files that it wrote, write by write."""
    return cache(lambda *words: watched(tmp_path_factory.mktemp("whole"), words))


def watched(folder, words):
    written = []
    write = writing._NamedFile.write

    def watch(file, content):
        written.append(Path(os.fsdecode(file.name)).name)
        return write(file, content)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writing._NamedFile, "write", watch)
        done = run_here(node_train_function, words, folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", written


def full_from(number, patched):
    """Let every write of a run folder fail from the one with this number on."""
    write = writing._NamedFile.write
    count = iter(range(10**9))

    def fail(file, content):
        if next(count) >= number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.name)
        return write(file, content)

    patched.setattr(writing._NamedFile, "write", fail)


def go_on(node_train, folder, words):
    begun = (folder / "run" / ".hydra" / "overrides.yaml").exists()
    return node_train(*(["trainer.resume=run"] if begun else words))


@pytest.mark.parametrize(("name", "which"), PLACES)
def test_a_disk_that_is_full_at_any_write_is_told(node_train, whole, tmp_path, name, which):
    words = (*WORDS, DRAWN) if name.endswith(".png") else WORDS
    reference, written = whole(*words)
    places = [number for number, file in enumerate(written) if name in file]
    with pytest.MonkeyPatch.context() as patched:
        full_from(places[which], patched)
        done = node_train(*words)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("node-train: ")
    assert "no space left on device. Make room" in line
    assert go_on(node_train, tmp_path, words).returncode == 0
    assert differences(tmp_path / "run", reference) == []


def test_a_folder_that_is_deleted_is_told_and_not_made_again(node_train, tmp_path, monkeypatch):
    save = TrainingLoop.save

    def deleted(self, path):
        if self.progress.step == 3:
            shutil.rmtree(tmp_path / "run")
        save(self, path)

    monkeypatch.setattr(TrainingLoop, "save", deleted)
    done = node_train(*WORDS)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "may have been deleted or moved meanwhile" in line
    assert not (tmp_path / "run").exists()


def test_a_read_only_disk_is_told_and_changes_nothing(node_train, whole, tmp_path, monkeypatch):
    reference, _ = whole(*WORDS)
    shutil.copytree(reference, tmp_path / "run")
    really_open = os.open

    def read_only(path, flags, *arguments, **names):
        if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(tmp_path)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return really_open(path, flags, *arguments, **names)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", read_only)
        done = node_train("trainer.resume=run", "trainer.max_steps=8")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "read-only file system. Nothing can be written there" in line
    assert differences(tmp_path / "run", reference) == []


def test_a_clock_that_went_a_day_back_keeps_the_steps_in_order(
    node_train, whole, tmp_path, monkeypatch
):
    reference, _ = whole(*WORDS)
    save = TrainingLoop.save

    def stop(self, path):
        save(self, path)
        if self.progress.step == 3:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingLoop, "save", stop)
        assert node_train(*WORDS).returncode == 128 + signal.SIGTERM
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 86_400)
    assert node_train("trainer.resume=run").returncode == 0
    assert len(list((tmp_path / "run").glob("events.out.*"))) == 2
    assert differences(tmp_path / "run", reference) == []
