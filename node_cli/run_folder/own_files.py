"""The user's own files that a command line names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


def absolute(path: Path) -> Path:
    """An absolute path, in which ``~`` stands for a home folder where there is one."""
    with suppress(RuntimeError):  # there is no such user
        path = path.expanduser()
    return path.absolute()


def real_path(path: Path) -> Path:
    """One path for one file, however it is named: absolute, without ``..`` and links."""
    path = absolute(path)
    with suppress(RuntimeError, OSError):  # a link that leads to itself
        return path.resolve()
    return path


@dataclass(frozen=True)
class OwnFiles:
    """A config folder and plugins, which a command that goes on with a run names again.

    Attributes:
        config_dir: of ``--config-dir``; None: there is none.
        plugins: the files of ``--plugin`` and of the environment.
    """

    config_dir: Path | None = None
    plugins: tuple[Path, ...] = ()

    @property
    def flags(self) -> list[str]:
        """As on the command line."""
        flags = [] if self.config_dir is None else ["--config-dir", str(self.config_dir)]
        for path in self.plugins:
            flags += ["--plugin", str(path)]
        return flags
