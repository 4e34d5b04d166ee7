import contextlib
import errno
import io
import os
import sys
from pathlib import Path

import pytest

from node_cli import streams


@pytest.fixture
def command(monkeypatch):
    """Calls a function as a command whose standard streams are over descriptors of our choice."""
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back afterwards
    monkeypatch.setattr(sys, "stderr", sys.stderr)

    def command(function, out, err, encoding="utf-8"):
        kept = [os.dup(number) for number in (1, 2)]
        sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        sys.stderr = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        try:
            for number, handle in ((1, out), (2, err)):
                os.dup2(handle, number)
            return streams.with_sturdy_streams(function, ["word"])
        finally:
            for number, handle in zip((1, 2), kept, strict=True):
                os.dup2(handle, number)
                os.close(handle)

    return command


@pytest.fixture
def files(tmp_path):
    with (tmp_path / "out").open("w+") as out, (tmp_path / "err").open("w+") as err:
        yield out, err


def written(file):
    return os.pread(file.fileno(), 10_000, 0).decode()


def test_what_is_printed_arrives_line_by_line(command, files):
    out, err = files

    def node_train(arguments):
        print("first")
        assert written(out) == "first\n"
        print(arguments, file=sys.stderr)
        return 3

    assert command(node_train, out.fileno(), err.fileno()) == 3
    assert written(err) == "['word']\n"


def test_a_reader_that_is_gone_does_not_end_the_command(command, files):
    _, err = files
    reading, writing = os.pipe()
    os.close(reading)
    done = []

    def node_train(arguments):
        for _ in range(3):
            print("x" * 100_000)
        done.append(True)
        return 0

    try:
        assert command(node_train, writing, err.fileno()) == 0
    finally:
        os.close(writing)
    assert done
    assert written(err) == ""


def test_a_terminal_that_is_gone_does_not_end_the_command(command, files):
    _, err = files
    master, terminal = os.openpty()
    os.close(master)
    with pytest.raises(OSError, match="Input/output error") as raised:
        os.write(terminal, b"x")
    assert raised.value.errno == errno.EIO

    def node_train(arguments):
        print("to nobody")
        return 0

    try:
        assert command(node_train, terminal, err.fileno()) == 0
    finally:
        os.close(terminal)
    assert written(err) == ""


def test_a_full_pipe_that_does_not_wait_is_waited_for(command, files, monkeypatch):
    """Another program that shares the pipe has set it so."""
    _, err = files
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 1000)
    read = []

    def until_there_is_room(_reading, waiting, _failed):
        (file,) = waiting
        assert file.fileno() == 1
        read.append(os.read(reading, 1 << 20))

    monkeypatch.setattr(streams.select, "select", until_there_is_room)

    def node_train(arguments):
        print("x" * 200_000)
        return 0

    try:
        assert command(node_train, writing, err.fileno()) == 0
        read.append(os.read(reading, 1 << 20))
    finally:
        os.close(reading)
        os.close(writing)
    assert b"".join(read).lstrip(b".") == b"x" * 200_000 + b"\n"
    assert written(err) == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_at_the_end(command, files):
    _, err = files
    full = os.open("/dev/full", os.O_WRONLY)

    def node_report(arguments):
        print("lost")
        print("told", file=sys.stderr)
        return 0

    try:
        assert command(node_report, full, err.fileno()) == 1
    finally:
        os.close(full)
    first, last = written(err).splitlines()
    assert first == "told"
    assert last == (
        "node-report: standard output could not be written to: no space left on device."
    )


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", b"a - b ... 3x4 -> u+-1 ? 'x' ?|- e?\n"),
        ("latin-1", b"a \xb7 b ... 3\xd74 -> \xb5\xb11 ? 'x' ?|- \xe9\xbd\n"),
    ],
    ids=["ascii", "latin-1"],
)
def test_characters_that_an_encoding_lacks_are_written_plainly(command, files, encoding, shown):
    out, err = files

    def node_train(arguments):
        print("a · b … 3×4 → µ±1 \N{SNOWMAN} ‘x’ \udc80│━ é½")  # noqa: RUF001
        return 0

    assert command(node_train, out.fileno(), err.fileno(), encoding) == 0
    assert os.pread(out.fileno(), 100, 0) == shown


def test_an_exit_by_argparse_keeps_its_code(command, files):
    out, err = files

    def node_flow(arguments):
        sys.exit(2)

    assert command(node_flow, out.fileno(), err.fileno()) == 2
