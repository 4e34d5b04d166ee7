"""The errors whose text is written for the user.

Each is shown as one sentence that says what was given, what is allowed and what to do; the
command line prints the text alone and exits with ``exit_code``.
"""

import errno
import os
from pathlib import Path

from node_cli.plain_text import plain_lines
from node_cli.source_place import place_of_failure

_ELSEWHERE = "choose another place (hydra.run.dir=PATH for a run)."
_ADVICE = {
    errno.ENOSPC: f"Make room there, or {_ELSEWHERE}",
    errno.EDQUOT: f"Make room there, or {_ELSEWHERE}",
    errno.EROFS: f"Nothing can be written there: {_ELSEWHERE}",
    errno.EACCES: f"Change the permissions there, or {_ELSEWHERE}",
    errno.EPERM: f"Change the permissions there, or {_ELSEWHERE}",
    errno.EIO: f"The disk, or the connection to it, fails: {_ELSEWHERE}",
    errno.ESTALE: f"The network folder was moved or taken away: {_ELSEWHERE}",
    errno.EFBIG: f"The file system, or a limit (ulimit -f), allows no larger one: {_ELSEWHERE}",
    errno.ENAMETOOLONG: "Choose a shorter name or path.",
    errno.ELOOP: "A link on this path leads back to itself; remove it.",
    errno.ENOTDIR: "A part of this path is a file, where a folder is needed.",
    errno.EEXIST: f"Something else has this name already: {_ELSEWHERE}",
    errno.EISDIR: "A folder is where a file is needed; move it away.",
    errno.EMFILE: "Close files, or raise the limit (ulimit -n).",
    errno.ENFILE: "The whole system has too many open files; close other programs.",
}


class RunError(Exception):
    """A run that cannot start or go on, for a reason that the user can act on."""

    exit_code = 1


class ConfigError(RunError):
    """The command line or a YAML file asks for something that is not possible."""

    exit_code = 2


class DisagreementError(ConfigError):
    """Each setting is possible, but not all of them together."""


class DataError(RunError):
    """A data file is missing, cut or not what its name says."""


class CheckpointError(RunError):
    """A checkpoint cannot be read, or belongs to another model, task or version."""


class WritingError(RunError):
    """A file of a run folder is not written, because what is in its place leads elsewhere."""


class SolverError(RunError):
    """A solve could not be finished: the state left the finite numbers, or a guard was hit."""


class DivergenceError(RunError):
    """The loss is no longer a finite number."""


class Interrupted(KeyboardInterrupt):
    """The run was told to stop (Ctrl-C or SIGTERM) and left a checkpoint.

    Not a ``RunError``: a sweep goes on after a cell that failed, and ends when it is told to stop.
    ``exit_code`` is 128 plus the signal's number, as shells expect.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


# How torch, what it calls and NumPy say that there is no memory for an array, or that it has more
# bytes than can be counted, where they raise a RuntimeError or a ValueError.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "out of memory",
    "bad_alloc",
    "alloc_failed",
    "could not create a memory object",
    "storage size calculation overflowed",
    "numel: integer multiplication overflow",
    "array is too big",
    "maximum allowed size exceeded",
    "maximum allowed dimension exceeded",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on the CPU or on a device."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    known = isinstance(error, RuntimeError | ValueError)
    return known and any(sign in text for sign in _OUT_OF_MEMORY)


def told(error: Exception) -> str:
    """What went wrong, in a sentence for the user; several, one a line, for several things.

    Control characters, which may stand in a file of someone else, are shown and not obeyed.
    """
    if isinstance(error.__cause__, RunError) and not isinstance(error, RunError):
        error = error.__cause__  # wrapped by logging or Hydra
    if isinstance(error, RunError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        named = isinstance(error.filename, str | bytes) and error.filename
        subject = f"{os.fsdecode(named)}: " if named else ""
        text = subject + reason(error)
    elif is_out_of_memory(error):
        text = (
            "there is not enough memory. Use a smaller batch, a smaller model or less data, or a"
            " machine with more memory."
        )
    else:
        where = place_of_failure(error)
        text = (
            f"{where}: {kind_and_text(error)}." if where else f"unexpected {kind_and_text(error)}."
        )
    return plain_lines(text)


def kind_and_text(error: BaseException) -> str:
    """``ValueError: what it says``, on one line and without a full stop."""
    said = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def reason(error: OSError) -> str:
    """Why a file cannot be read or written, and what to do about it, without the file's name."""
    if isinstance(error, FileNotFoundError) and _is_without_folder(error.filename):
        return "its folder is not there; it may have been deleted or moved meanwhile."
    said = (error.strerror or str(error) or type(error).__name__).lower().rstrip(".")
    advice = _ADVICE.get(error.errno or 0)
    return f"{said}. {advice}" if advice else f"{said}."


def _is_without_folder(name: object) -> bool:
    try:
        return isinstance(name, str) and not Path(name).parent.exists()
    except (OSError, ValueError):
        return False
