"""One process a folder: a lock that the system releases when its process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path

from node_cli.errors import ConfigError, WritingError
from node_cli.plain_text import plain_text, shortened
from node_cli.run_folder.writing import is_temporary

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"
_EVERY = 0.2  # seconds between two tries
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
# What file systems without locks answer, such as some that clusters share.
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class HeldError(ConfigError):
    """Another process works on the folder."""


def holds_nothing(folder: Path) -> bool:
    """Whether a folder is empty, but for what a process leaves that is killed as it begins.

    Raises:
        OSError: it cannot be read.
    """
    return all(path.name == LOCK_FILE or is_temporary(path) for path in folder.iterdir())


class FolderLock:
    """Inside the ``with`` block no other process holds the same folder.

    The lock is on the file ``.lock`` in it, which says who holds it and is removed at the end.

    Args:
        folder: of a run or of a sweep; it exists.
        patience: seconds to wait for a process that holds it.
    """

    def __init__(self, folder: Path, patience: float = 0.0) -> None:
        self._folder, self._path, self._patience = folder, folder / LOCK_FILE, patience
        self._handle: int | None = None

    def __enter__(self) -> FolderLock:
        """Take the lock.

        Raises:
            HeldError: another process holds it; the message says which.
            WritingError: something else is in the place of its file.
            OSError: the file cannot be made.
        """
        deadline = time.monotonic() + self._patience
        while not self._try():
            if time.monotonic() >= deadline:
                raise HeldError(
                    f"{self._folder}: another process works on it{_holder(self._path)}; let it"
                    " end, or stop it first."
                )
            time.sleep(_EVERY)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            # Removed before it is released: who opened it meanwhile finds that it is gone.
            with suppress(OSError):
                self._path.unlink()
            os.close(self._handle)
            self._handle = None

    def _try(self) -> bool:
        # Without O_NONBLOCK a named pipe in its place would wait for a reader for ever.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(self._path, flags, 0o666)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                raise self._not_ours() from error
            raise
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise self._not_ours()
            if not _locked(handle) or not self._is_in_place(handle):
                os.close(handle)
                return False
            self._handle = handle
            _say_who(handle)
        except BaseException:
            self._handle = None
            os.close(handle)
            raise
        return True

    def _is_in_place(self, handle: int) -> bool:
        """Whether the file was not removed between opening and locking it."""
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(handle))

    def _not_ours(self) -> WritingError:
        return WritingError(f"{self._path} is a link or no file; remove it.")


def remove_stale_lock(folder: Path) -> None:
    """Remove the lock file of a process that was killed as it ended; one that is held stays."""
    if (folder / LOCK_FILE).exists():
        with suppress(HeldError, WritingError, OSError), FolderLock(folder):
            pass


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        if error.errno not in _WITHOUT_LOCKS:
            raise
        log.warning(
            "the file system has no locks: see to it that no two processes work on one folder"
        )
    return True


def _say_who(handle: int) -> None:
    who = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    with suppress(OSError):  # on a full disk the lock holds all the same
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(who).encode(), 0)


def _holder(path: Path) -> str:
    """Who holds a lock, as its file says; nothing if that cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            who = json.loads(os.read(handle, 1000))
        finally:
            os.close(handle)
        process, host, since = (
            shortened(plain_text(str(who[name])), 60) for name in ("process", "host", "since")
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" (process {process} on {host}, since {since})"
