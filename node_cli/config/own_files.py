"""The user's own files that a command line names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
