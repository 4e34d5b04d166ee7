import errno
import os
import stat

import pytest

from node_cli.errors import WritingError
from node_cli.run_folder.writing import (
    open_to_append,
    remove_leftovers,
    subfolder,
    write_text,
    write_whole,
)


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_text_replaces_the_one_before(tmp_path):
    path = tmp_path / "summary.json"
    write_text(path, "old")
    write_text(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    assert names(tmp_path) == ["summary.json"]


def test_a_file_has_the_mode_that_the_umask_allows(tmp_path, umask):
    write_text(tmp_path / "whole", "")
    open_to_append(tmp_path / "appended").close()
    for name in ("whole", "appended"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), RuntimeError(), KeyboardInterrupt()]
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "last.pt"
    write_text(path, "old")

    def half(file):
        file.write(b"ne")
        raise error

    with pytest.raises(type(error)):
        write_whole(path, half)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["last.pt"]


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "gone" / "summary.json"
    with pytest.raises(FileNotFoundError) as caught:
        write_text(path, "")
    assert caught.value.filename == str(path)


def test_a_folder_in_the_place_of_a_file_stays(tmp_path):
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path / "summary.json", "")
    assert caught.value.filename == str(tmp_path / "summary.json")
    assert names(tmp_path) == ["summary.json"]


def test_a_link_is_replaced_and_its_target_untouched(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    path = tmp_path / "run" / "summary.json"
    path.parent.mkdir()
    for name in ("summary.json", "summary.json.tmp"):
        (path.parent / name).symlink_to(elsewhere)
    write_text(path, "new")
    assert elsewhere.read_text() == "precious"
    assert not path.is_symlink()
    assert path.read_text() == "new"


def test_a_link_at_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    monkeypatch.setattr("secrets.token_hex", lambda count: "0" * 8)
    (tmp_path / ".summary.json.00000000.tmp").symlink_to(elsewhere)
    with pytest.raises(FileExistsError):
        write_text(tmp_path / "summary.json", "new")
    assert elsewhere.read_text() == "precious"


def test_lines_are_appended(tmp_path):
    for line in (b"one\n", b"two\n"):
        with open_to_append(tmp_path / "metrics.jsonl") as file:
            file.write(line)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("exists", [True, False])
def test_nothing_is_appended_through_a_link(tmp_path, exists):
    elsewhere = tmp_path / "elsewhere"
    if exists:
        elsewhere.write_text("precious")
    (tmp_path / "metrics.jsonl").symlink_to(elsewhere)
    with pytest.raises(WritingError, match=r"metrics\.jsonl is a link.*remove the link\.$"):
        open_to_append(tmp_path / "metrics.jsonl")
    assert elsewhere.exists() == exists


def test_a_pipe_in_the_place_of_a_log_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(WritingError, match="is not a file"):
        open_to_append(tmp_path / "metrics.jsonl")
    reader = os.open(tmp_path / "metrics.jsonl", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(WritingError, match="is not a file"):
        open_to_append(tmp_path / "metrics.jsonl")
    os.close(reader)


def test_a_subfolder_is_made_once(tmp_path):
    assert subfolder(tmp_path, "figures") == subfolder(tmp_path, "figures") == tmp_path / "figures"
    assert (tmp_path / "figures").is_dir()


@pytest.mark.parametrize("exists", [True, False])
def test_a_subfolder_that_is_a_link_is_refused(tmp_path, exists):
    elsewhere = tmp_path / "elsewhere"
    if exists:
        elsewhere.mkdir()
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoints").symlink_to(elsewhere)
    with pytest.raises(WritingError, match=r"checkpoints is a link.*remove the link\.$"):
        subfolder(run, "checkpoints")
    assert elsewhere.exists() == exists


def test_a_file_in_the_place_of_a_subfolder_is_told(tmp_path):
    (tmp_path / "figures").write_text("")
    with pytest.raises(WritingError, match="figures is a file, where a folder is needed"):
        subfolder(tmp_path, "figures")


def test_leftovers_of_killed_writers_are_removed(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "last.pt.tmp").write_text("precious")
    run = tmp_path / "run"
    for name in ("run", "run/checkpoints", "run/figures"):
        (tmp_path / name).mkdir()
    kept = ("summary.json", "checkpoints/last.pt", "figures/.hidden", "notes.tmp", ".netrc")
    older = ("summary.json.tmp", "metrics.tmp", "checkpoints/.last.pt.x_7k2b1q")
    for name in (*kept, *older):
        (run / name).write_text("")
    (run / "figures" / ".loss.png.0123abcd.tmp").symlink_to(elsewhere / "last.pt.tmp")
    monkeypatch.setattr("pathlib.Path.unlink", lambda path, missing_ok=False: None)
    with pytest.raises(ZeroDivisionError):  # as if killed: its own temporary file stays
        write_whole(run / "checkpoints" / "last.pt", lambda file: 1 / 0)
    monkeypatch.undo()
    assert len(names(run / "checkpoints")) == 3
    remove_leftovers(run)
    found = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    assert found == sorted(kept)
    assert (elsewhere / "last.pt.tmp").read_text() == "precious"


def test_leftovers_behind_a_link_are_not_touched(tmp_path):
    elsewhere, run = tmp_path / "elsewhere", tmp_path / "run"
    elsewhere.mkdir()
    run.mkdir()
    (elsewhere / ".last.pt.0123abcd.tmp").write_text("precious")
    (run / "checkpoints").symlink_to(elsewhere)
    remove_leftovers(run)
    assert names(elsewhere) == [".last.pt.0123abcd.tmp"]
