"""TensorBoard's event files, written by the run itself and not by a thread behind it."""

from __future__ import annotations

import os
import re
import socket
import stat
import struct
import time
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from node_cli.run_folder.writing import open_new, open_to_shorten

_NAME = re.compile(r"events\.out\.tfevents\.(\d{1,15})\..+")
_VERSION = "brain.Event:2"
_FLUSH_EVERY = 10.0  # seconds that a reader may have to wait for what was logged
_LENGTH, _CHECKSUM = 8, 4  # bytes of a record beside its content


class EventFile:
    """A new event file in a run folder.

    A full disk is an ``OSError`` of the call that meets it. TensorBoard reads the files of a folder
    in the order of their names, which begin with a time: the new one comes after those that are
    there, even if the clock went back meanwhile.

    Args:
        folder: the run folder.
        purge_step: tells readers to forget what they have seen from this step on; None for a run
            that begins.

    Raises:
        OSError: the file cannot be made or written.
    """

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        times = [int(found[1]) for path in event_files(folder) if (found := _NAME.match(path.name))]
        begun = max([int(time.time()), *(seconds + 1 for seconds in times)])
        host = re.sub(r"[^\w.-]", "_", socket.gethostname())
        self._file = open_new(folder / f"events.out.tfevents.{begun:010d}.{host}.{os.getpid()}.0")
        self._latest = float(begun)
        self._records = RecordWriter(self._file)
        self._flushed = time.monotonic()
        self._write(Event(file_version=_VERSION))
        if purge_step is not None:
            session = SessionLog(status=SessionLog.START)
            self._write(Event(step=purge_step, file_version=_VERSION))
            self._write(Event(step=purge_step, session_log=session))
        self.flush()

    def add(self, summary: Summary, step: int | None = None) -> None:
        """Write a summary.

        Raises:
            OSError: the file cannot be written.
        """
        self._write(Event(summary=summary, step=step))
        if time.monotonic() - self._flushed > _FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Make what was written visible to readers."""
        self._file.flush()
        self._flushed = time.monotonic()

    def sync(self) -> None:
        """As ``flush``; what was written also outlasts a loss of power."""
        self.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; what a full disk has no room for is lost, which was told before."""
        with suppress(OSError):
            self.flush()
        self._file.raw.close()

    def _write(self, event: Event) -> None:
        self._latest = event.wall_time = max(self._latest, time.time())
        self._records.write(event.SerializeToString())


def event_files(folder: Path) -> list[Path]:
    """The event files of a run folder, in the order in which they are read; no links."""
    return sorted(
        path for path in folder.glob("events.out.tfevents.*") if stat.S_ISREG(path.lstat().st_mode)
    )


def shorten_events(path: Path, size: int) -> None:
    """Cut an event file off after its last whole record within ``size`` bytes.

    Raises:
        OSError: it cannot be read or written.
    """
    with open_to_shorten(path) as file:
        end, most = 0, min(size, file.seek(0, os.SEEK_END))
        while True:
            file.seek(end)
            head = file.read(_LENGTH)
            if len(head) < _LENGTH:
                break
            after = end + _LENGTH + _CHECKSUM + struct.unpack("<Q", head)[0] + _CHECKSUM
            if after > most:
                break
            end = after
        file.truncate(end)
