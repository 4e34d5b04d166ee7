"""NumPy's own files, read without trust."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node_cli.errors import DataError

# What NumPy raises for headers that it has not written.
_MALFORMED = (
    *(ValueError, EOFError, TypeError, KeyError, SyntaxError, TokenError),
    *(ArithmeticError, MemoryError, RecursionError),
)


def read_npy(path: Path, where: str) -> NDArray[Any]:
    """The array of real numbers of a ``.npy`` file, as it is stored.

    Args:
        path: of the file.
        where: it was named, with which messages begin.

    Raises:
        DataError: it is cut or malformed, or holds something else.
        OSError: it cannot be read.
    """
    try:
        # Mapped, so that the shape that the header claims is held against the file's size first.
        with np.errstate(over="ignore"):
            values: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except _MALFORMED as error:
        raise DataError(f"{where}: this is no whole .npy file of numbers ({error}).") from error
    if values.dtype.kind not in "fiub":
        raise DataError(f"{where}: it holds {values.dtype}; it must hold real numbers.")
    return values
