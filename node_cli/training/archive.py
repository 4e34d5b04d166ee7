"""The archive that ``torch.save`` writes: saved with the true cause of a failure, read in full."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import torch

_FOLDER = 0x10
_DEEPEST = 16  # how far dictionaries and lists of a checkpoint may be nested


def save_archive(content: Mapping[str, Any], file: BinaryIO) -> None:
    """Write ``content`` as ``torch.save`` does.

    Raises:
        OSError: the file cannot be written; ``torch.save`` itself would hide it in a RuntimeError.
    """
    witness = _Witness(file)
    torch.save(dict(content), witness)  # type: ignore[arg-type]
    if witness.error is not None:
        raise witness.error


def load_archive(file: BinaryIO) -> Any:
    """Read what ``save_archive`` wrote, onto the CPU, with ``weights_only=True``.

    Every part of the archive is held against its CRC-32 first. torch writes these sums and never
    looks at them, so that a flipped bit would change a weight in silence.

    Raises:
        ValueError: says what is wrong with the file.
        OSError: the file cannot be read.
    """
    size = os.fstat(file.fileno()).st_size
    _check_sums(file, size)
    file.seek(0)
    try:
        with warnings.catch_warnings(action="ignore"):  # of kinds of tensor that no run writes
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign content makes torch raise whatever it may
        _pass_on(error)
        raise ValueError(f"torch cannot read it ({type(error).__name__})") from error
    _check_extent(content, size)
    return content


class _Witness:
    """A file that keeps its first error for later.

    torch's writer is C++ code that answers an exception with others of its own. It sees none: what
    it writes after the first goes nowhere.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: BaseException | None = None

    def write(self, content: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(content)
            except BaseException as error:
                self.error = error
        return len(content)

    def flush(self) -> None:
        """Nothing: the file is flushed by the one who opened it."""


def _check_sums(file: BinaryIO, size: int) -> None:
    if size == 0:
        raise ValueError("it is empty")
    try:
        with ZipFile(file) as archive:
            sound = _as_torch_writes(archive.infolist(), size) and archive.testzip() is None
    except BadZipFile as error:
        raise ValueError("it is not a whole archive of torch") from error
    except Exception as error:  # damaged headers make zipfile raise whatever it may
        _pass_on(error)
        raise ValueError(f"its list of parts cannot be read ({type(error).__name__})") from error
    if not sound:
        raise ValueError("its bytes are not those that were written")


def _as_torch_writes(parts: Sequence[ZipInfo], size: int) -> bool:
    """Whether the list of parts, which has no checksum, says what that of torch says."""
    # From a part that is marked as a folder torch reads nothing at all, without an error.
    plain = all(p.compress_type == ZIP_STORED and not p.external_attr & _FOLDER for p in parts)
    return plain and sum(part.file_size for part in parts) <= size


def _check_extent(content: object, most: int) -> None:
    """Refuse what unfolds to more values than the file has bytes, or is nested without end.

    Lists that hold another list many times over may be small in a file and endless to walk.
    """
    count = 0
    inside = [(content, 0)]
    while inside:
        value, depth = inside.pop()
        if not isinstance(value, dict | list | tuple):
            continue
        count += len(value)
        if count > most or depth == _DEEPEST:
            raise ValueError("it holds too much for its size")
        members = [*value, *value.values()] if isinstance(value, dict) else value
        inside += [(member, depth + 1) for member in members]


def _pass_on(error: Exception) -> None:
    """Raise what comes from the disk and not from the content, such as a seek before the start."""
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        raise error
