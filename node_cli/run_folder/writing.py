"""How the files of a run folder are written: whole or not at all, and never through a link."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from node_cli.errors import WritingError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# The names of temporary files: those of this module, and those of versions before it.
_TEMPORARY = re.compile(
    r"\..+\.[0-9a-f]{8}\.tmp|\.(last|best)\.pt\..{8}|(summary\.json|metrics)\.tmp"
)
_SUBFOLDERS = (".hydra", "checkpoints", "figures")
_FILES = ("metrics.jsonl", "node-train.log")  # those that grow; others are replaced as a whole


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file that is seen whole or not at all, even if the process is killed.

    The content goes to a temporary file beside it that is synced and then renamed. A link at
    ``path`` is replaced, not followed. The file gets the mode that the umask allows.

    Args:
        path: of the file, in a folder that exists.
        write: puts the content into the open file.

    Raises:
        OSError: the file cannot be written, with ``path`` as its name; what was there is intact.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open_new(temporary) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            # The user does not know the temporary file.
            error.filename, error.filename2 = str(path), None
        raise
    _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, as ``write_whole`` does.

    Raises:
        OSError: the file cannot be written; what was there is intact.
    """
    content = text.encode("utf-8")
    write_whole(path, lambda file: file.write(content))


def open_to_append(path: Path) -> BufferedWriter:
    """Open a file, new or not, to write at its end.

    Raises:
        WritingError: a link or no file is in its place, which might lead out of the folder.
        OSError: the file cannot be opened.
    """
    # Without O_NONBLOCK a named pipe in its place would wait for a reader for ever.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = _opened(path, "ab", flags)
    except OSError as error:
        if path.is_symlink():
            raise _link(path, "file") from error
        if error.errno == errno.ENXIO:
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _no_file(path)
    return file


def open_new(path: Path) -> BufferedWriter:
    """Open a file that is not there yet, to write it.

    Raises:
        OSError: something is there, or it cannot be made.
    """
    return _opened(path, "wb", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)


def open_to_shorten(path: Path) -> BinaryIO:
    """Open an existing file to read it and to cut its end off.

    Raises:
        WritingError: a link or no file is in its place.
        FileNotFoundError: there is none.
        OSError: it cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise _link(path, "file") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _no_file(path)
    return os.fdopen(handle, "r+b")


def subfolder(folder: Path, name: str) -> Path:
    """A folder inside of a run folder; it is made if need be.

    Raises:
        WritingError: a link or a file is in its place.
        OSError: it cannot be made.
    """
    path = folder / name
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError as error:
        if not path.is_symlink():
            raise _no_folder(path) from error
    if path.is_symlink():
        raise _link(path, "folder")
    return path


def check_places(folder: Path) -> None:
    """See that nothing in a run folder is in the way of what a run will write.

    Raises:
        WritingError: a link, or something of another kind, is in the place of a file or folder.
    """
    for name in (*_SUBFOLDERS, *_FILES):
        path, kind = folder / name, "folder" if name in _SUBFOLDERS else "file"
        if path.is_symlink():
            raise _link(path, kind)
        if kind == "folder" and path.exists() and not path.is_dir():
            raise _no_folder(path)
        if kind == "file" and path.exists() and not path.is_file():
            raise _no_file(path)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a run folder.

    Only the process that holds the folder may do this. One that cannot be removed is left.
    """
    for place in (folder, *(folder / name for name in _SUBFOLDERS)):
        if place != folder and place.is_symlink():
            continue
        with suppress(OSError):
            for path in filter(is_temporary, list(place.iterdir())):
                with suppress(OSError):
                    path.unlink()


def is_temporary(path: Path) -> bool:
    """Whether it is a file that was being written, such as one that a killed process left."""
    return _TEMPORARY.fullmatch(path.name) is not None


def _opened(path: Path, mode: str, flags: int) -> BufferedWriter:
    return BufferedWriter(
        _NamedFile(path, mode, opener=lambda name, _: os.open(name, flags, 0o666))
    )


class _NamedFile(FileIO):
    """A file whose errors say which file it is; a full disk is noticed at a write."""

    def write(self, content: ReadableBuffer, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            error.filename = str(self.name)
            raise


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a loss of power; the file is already in place for every reader."""
    with suppress(OSError):  # not every file system can sync a folder
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _link(path: Path, kind: str) -> WritingError:
    return WritingError(
        f"{path} is a link, which might lead out of the run folder: nothing is written through it."
        f" Put the {kind} itself in its place, or remove the link."
    )


def _no_file(path: Path) -> WritingError:
    return WritingError(f"{path} is not a file that can be written to; remove it.")


def _no_folder(path: Path) -> WritingError:
    return WritingError(
        f"{path} is a file, where a folder is needed; move it away, or choose another folder for"
        " the run."
    )
