"""Standard output and error that never end a command: what cannot be shown is left out."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# The reader has seen enough, as ``head`` has, or the terminal is gone: that is no mistake.
_NOBODY_READS = (errno.EPIPE, errno.EIO)
_NAMES = {1: "standard output", 2: "standard error"}
# Signs that the commands print and that Unicode itself does not take apart into plain ones.
_SIGNS = {
    "MIDDLE DOT": "-",
    "MICRO SIGN": "u",
    "MULTIPLICATION SIGN": "x",
    "RIGHTWARDS ARROW": "->",
    "PLUS-MINUS SIGN": "+-",
    "MINUS SIGN": "-",
    "EN DASH": "-",
    "EM DASH": "-",
    "BULLET": "*",
    "LEFT SINGLE QUOTATION MARK": "'",
    "RIGHT SINGLE QUOTATION MARK": "'",
}
_ERRORS = "node_cli.plain"


def with_sturdy_streams(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Call a command with streams that last, whatever happens to terminal, pipe or disk.

    Args:
        command: of this process.
        arguments: its command line.

    Returns:
        Its exit code; 1 where it would be 0 and what it printed was lost on a full disk.
    """
    codecs.register_error(_ERRORS, _near)
    _fill_closed_descriptors()
    sys.stdout, out = _sturdy(1)
    sys.stderr, err = _sturdy(2)
    try:
        code = command(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    said_by = command.__name__.replace("_", "-")
    for file in (out, err):
        if file.error is not None and file.error.errno not in _NOBODY_READS:
            name = _NAMES[file.fileno()]
            why = (file.error.strerror or "").lower()
            print(f"{said_by}: {name} could not be written to: {why}.", file=sys.stderr)
            code = code or 1
    return code


class _SturdyFile(io.FileIO):
    """A file that swallows everything after its first error, which it keeps.

    Another program may have set a terminal or a pipe that it shares with us not to wait: a full
    one is no error, and is waited for.
    """

    error: OSError | None = None

    def write(self, content: ReadableBuffer, /) -> int:
        if self.error is None:
            try:
                while (written := super().write(content)) is None:
                    select.select([], [self], [])
                return written
            except OSError as error:
                self.error = error
        return memoryview(content).nbytes


def _sturdy(descriptor: int) -> tuple[io.TextIOWrapper, _SturdyFile]:
    """A text stream of lines over a file descriptor, in the encoding that the user chose."""
    before = sys.stdout if descriptor == 1 else sys.stderr
    if before is not None:
        before.flush()
    encoding = getattr(before, "encoding", None) or "utf-8"
    file = _SturdyFile(descriptor, "w", closefd=False)
    # Lines are passed on at once, so that a log can be followed.
    stream = io.TextIOWrapper(
        io.BufferedWriter(file), encoding=encoding, errors=_ERRORS, line_buffering=True
    )
    return stream, file


def _fill_closed_descriptors() -> None:
    """Where a stream was closed by the shell, as by ``>&-``, no file of a run takes its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _near(error: UnicodeError) -> tuple[str, int]:
    """Characters that the encoding lacks, in plain ones that are near to them."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(map(_plain, text)), error.end


def _plain(character: str) -> str:
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        return "|" if "VERTICAL" in name else "-"
    apart = unicodedata.normalize("NFKD", character)
    letters = "".join(c for c in apart if not unicodedata.combining(c))
    return _SIGNS.get(name) or (letters if letters.isascii() else "?")
