"""The errors whose text is written for the user.

Each is shown as one sentence that says what was given, what is allowed and what to do; the
command line prints the text alone and exits with ``exit_code``.
"""

import errno


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


def told(error: Exception) -> str:
    """What went wrong, in a sentence for the user; several, one a line, for several things."""
    if isinstance(error, RunError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        subject = f"{error.filename}: " if error.filename else ""
        advice = ""
        if error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
            advice = " Choose another folder to write to, or mend this one."
        return f"{subject}{error.strerror.lower()}.{advice}"
    text = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {text.rstrip('.')}."
