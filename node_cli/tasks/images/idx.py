"""IDX files, the format of MNIST (LeCun et al. 1998), raw or gzipped."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from node_cli.errors import DataError

# The magic number: two zero bytes, the code of the element type, the number of dimensions.
_UNSIGNED_BYTE = 0x08
_MAGIC = struct.Struct(">2xBB")


def read_idx(path: Path, sha256: str | None = None) -> Tensor:
    """Read an IDX file of unsigned bytes; a name that ends in ``.gz`` is unpacked.

    Args:
        path: of the file.
        sha256: what the unpacked bytes must have, in hexadecimal; None to leave it unchecked.

    Returns:
        uint8, shape as in the header.

    Raises:
        DataError: the file is missing, cannot be read or unpacked, has another checksum, or its
            length is not the one that its header tells. Nothing half-read is returned.
    """
    content = _unpacked(path)
    if sha256 is not None and (found := sha256_of(content)) != sha256:
        raise _damaged(path, f"its unpacked bytes should have SHA-256 {sha256} and have {found}")
    if len(content) < _MAGIC.size:
        raise _damaged(path, f"it has {len(content)} bytes, too few for an IDX header")
    element, dimensions = _MAGIC.unpack_from(content)
    if content[:2] != b"\0\0" or element != _UNSIGNED_BYTE or dimensions == 0:
        raise _damaged(
            path,
            "an IDX file of unsigned bytes begins with 0000 08 and its number of dimensions;"
            f" this one begins with {content[:4].hex()}",
        )
    header = _MAGIC.size + 4 * dimensions
    if len(content) < header:
        raise _damaged(
            path,
            f"its header of {dimensions} dimensions needs {header} bytes,"
            f" and the file ends after {len(content)}",
        )
    shape = struct.unpack_from(f">{dimensions}I", content, _MAGIC.size)
    expected = header + prod(shape)
    if len(content) != expected:
        fault = "is cut" if len(content) < expected else "has bytes left over"
        raise _damaged(
            path,
            f"it {fault}: its header tells of {' x '.join(map(str, shape))} values,"
            f" {expected} bytes in all, and there are {len(content)}",
        )
    values = np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    return torch.from_numpy(values.copy())


def write_idx(path: Path, values: Tensor) -> str:
    """Write ``values`` as an IDX file, gzipped where the name ends in ``.gz``.

    The gzip header holds neither a time nor a name, so the same values give the same file
    wherever zlib is the same.

    Args:
        path: of the file, which is replaced if it exists.
        values: uint8, any shape of 1 to 255 dimensions.

    Returns:
        The SHA-256 of the unpacked bytes, in hexadecimal.
    """
    if values.dtype != torch.uint8 or values.dim() == 0:
        raise TypeError(f"IDX holds arrays of uint8, not {values.dtype} of {values.dim()} dims")
    magic = _MAGIC.pack(_UNSIGNED_BYTE, values.dim())
    shape = struct.pack(f">{values.dim()}I", *values.shape)
    content = magic + shape + values.cpu().contiguous().numpy().tobytes()
    packed = gzip.compress(content, compresslevel=9, mtime=0) if _is_gzip(path) else content
    path.write_bytes(packed)
    return sha256_of(content)


def sha256_of(content: bytes) -> str:
    """The SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _is_gzip(path: Path) -> bool:
    return path.suffix == ".gz"


def _unpacked(path: Path) -> bytes:
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path}: there is no such file. Download it again or correct data.root."
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if not _is_gzip(path):
        return stored
    try:
        return gzip.decompress(stored)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, f"it should be a gzip file and cannot be unpacked: {error}") from error


def _damaged(path: Path, finding: str) -> DataError:
    return DataError(
        f"{path}: not a whole IDX file: {finding.rstrip('.')}. Delete it and download it again,"
        " or compare its checksum with the publisher's."
    )
