import errno
import fcntl
import os
import subprocess
import sys

import pytest

from node_cli.errors import WritingError
from node_cli.run_folder.folder_lock import FolderLock, HeldError

# Another process that holds a folder until its standard input ends.
HOLD = (
    "import sys; from pathlib import Path; from node_cli.run_folder.folder_lock import FolderLock\n"
    "with FolderLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.stdin.close()


def test_the_second_process_is_told_who_holds_the_folder(tmp_path, holder):
    before = (tmp_path / ".lock").read_bytes()
    told = rf"another process works on it \(process {holder.pid} on .*, since 20.*let it end"
    with pytest.raises(HeldError, match=told), FolderLock(tmp_path):
        pass
    assert (tmp_path / ".lock").read_bytes() == before


def test_the_system_releases_the_lock_of_a_killed_process(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / ".lock").exists()
    with FolderLock(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()
    assert list(tmp_path.iterdir()) == []


def test_who_is_patient_gets_the_lock_when_it_is_released(tmp_path, holder, monkeypatch):
    # The other one ends while we wait.
    monkeypatch.setattr(
        "node_cli.run_folder.folder_lock.time.sleep", lambda _: holder.stdin.close()
    )
    with FolderLock(tmp_path, patience=60.0):
        assert (tmp_path / ".lock").exists()


def test_a_lock_file_that_was_removed_before_it_was_locked_is_no_lock(tmp_path, monkeypatch):
    locked = fcntl.flock
    removed = []

    def remove_first(handle, operation):
        if not removed:
            removed.append((tmp_path / ".lock").unlink())
        locked(handle, operation)

    monkeypatch.setattr("node_cli.run_folder.folder_lock.fcntl.flock", remove_first)
    with FolderLock(tmp_path, patience=60.0), pytest.raises(HeldError), FolderLock(tmp_path):
        pass


def test_links_and_pipes_in_its_place_are_refused(tmp_path):
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(WritingError, match=r"\.lock is a link or no file; remove it"):
            FolderLock(tmp_path).__enter__()
        (tmp_path / ".lock").unlink()
        os.mkfifo(tmp_path / ".lock")
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_a_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch, caplog):
    def without(handle, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("node_cli.run_folder.folder_lock.fcntl.flock", without)
    with FolderLock(tmp_path):
        pass
    assert "no two processes" in caplog.text


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": 1}', '{"process": "\\u001b[2J"}'])
def test_a_holder_that_says_nothing_sound_is_told_without_a_name(tmp_path, holder, text):
    (tmp_path / ".lock").write_text(text)
    with pytest.raises(HeldError, match="works on it; let it end"):
        FolderLock(tmp_path).__enter__()
