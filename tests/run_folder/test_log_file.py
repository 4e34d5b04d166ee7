import errno
import logging
import os

import pytest

from node_cli.errors import WritingError
from node_cli.run_folder.log_file import LogFile


def emit(handler, text):
    handler.emit(logging.LogRecord("run", logging.INFO, __file__, 1, text, None, None))


def test_lines_are_appended(tmp_path):
    path = tmp_path / "node-train.log"
    for text in ("größer", "done"):
        handler = LogFile(str(path))
        emit(handler, text)
        handler.close()
    assert path.read_text(encoding="utf-8") == "größer\ndone\n"


def test_a_link_is_refused(tmp_path):
    (tmp_path / "node-train.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WritingError, match=r"node-train\.log is a link"):
        LogFile(str(tmp_path / "node-train.log"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_prints_no_traceback(tmp_path, monkeypatch, capsys):
    def full(file, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    handler = LogFile(str(tmp_path / "node-train.log"))
    monkeypatch.setattr("node_cli.run_folder.writing._NamedFile.write", full)
    emit(handler, "lost")
    assert capsys.readouterr().err == ""
    monkeypatch.undo()
    handler.close()
