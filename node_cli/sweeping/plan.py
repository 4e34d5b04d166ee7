"""What a sweep was asked for, kept in its folder so that it can be continued."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from node_cli.command_line.overrides import parse
from node_cli.errors import ConfigError
from node_cli.run_folder.own_files import OwnFiles
from node_cli.run_folder.recorded_plugins import RecordedPlugin, own_files_with, plugins_from
from node_cli.run_folder.writing import write_text

_FILE = "sweep.json"
_FOLDER = "hydra.sweep.dir="
# What can be told anew to a sweep that is continued: where and how many, but not what.
_MAY_CHANGE = ("hydra/launcher", "hydra.launcher.", "hydra.sweeper.n_trials", "trainer.resume")


@dataclass(frozen=True)
class SweepPlan:
    """A sweep.

    Attributes:
        folder: of the sweep; each cell has a folder in it.
        overrides: of the command line.
        cells: how many runs it has.
        launcher: the member of ``hydra/launcher``.
        searches: whether later cells depend on the results of earlier ones.
        objectives: what a search minimises.
        config_dir: the user's own config folder.
        traced: whether errors are shown with their tracebacks.
        plugins: files of the user's own that its cells are made with.
    """

    folder: Path
    overrides: tuple[str, ...]
    cells: int
    launcher: str = "basic"
    searches: bool = False
    objectives: tuple[str, ...] = ()
    config_dir: Path | None = None
    traced: bool = False
    plugins: tuple[RecordedPlugin, ...] = ()

    @property
    def in_turn(self) -> bool:
        """Whether its cells run one after the other in this process."""
        return self.launcher == "basic"

    @property
    def own(self) -> OwnFiles:
        """The user's own files."""
        return own_files_with(self.plugins, self.config_dir)

    def write(self) -> None:
        """Write the plan into the folder, which exists."""
        overrides = [word for word in self.overrides if not word.startswith(_FOLDER)]
        config_dir = None if self.config_dir is None else str(self.config_dir.absolute())
        plain = {**asdict(self), "folder": None, "overrides": overrides, "config_dir": config_dir}
        write_text(self.folder / _FILE, json.dumps(plain, indent=2) + "\n")


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep."""
    return (folder / _FILE).exists()


def own_files_of(folder: Path) -> OwnFiles:
    """The user's own files with which a sweep was started.

    Raises:
        ConfigError: the plan cannot be read.
    """
    plan = _read(folder)
    path = plan.get("config_dir")
    return own_files_with(_plugins_in(plan), None if path is None else Path(path))


def plugins_of(folder: Path) -> list[RecordedPlugin]:
    """The plugins with which a sweep was started, as they were.

    Raises:
        ConfigError: the plan cannot be read.
    """
    return _plugins_in(_read(folder))


def is_the_same_sweep(folder: Path, overrides: Sequence[str]) -> bool:
    """Whether the sweep in ``folder`` runs the same cells as ``overrides`` do.

    Raises:
        ConfigError: its plan cannot be read.
    """
    return _what_it_runs(_saved(folder)) == _what_it_runs(overrides)


def continued(given: Sequence[str], folder: Path) -> list[str]:
    """The overrides that continue a sweep: its own, and those of ``given`` that may change.

    Raises:
        ConfigError: another setting is given, or the plan cannot be read.
    """
    saved = _saved(folder)
    for word in given:
        if not word.lstrip("+").startswith(_MAY_CHANGE):
            raise ConfigError(
                f"{word}: a sweep goes on with its own settings; leave it out, or start a new"
                " sweep. What can change: hydra/launcher, its settings, hydra.sweeper.n_trials."
            )
    anew = [word for word in given if not word.startswith("trainer.resume")]
    keys = {word.partition("=")[0] for word in anew}
    # Another launcher has other settings.
    dropped = "hydra.launcher." if "hydra/launcher" in keys else _FOLDER
    kept = [w for w in saved if w.partition("=")[0] not in keys and not w.startswith(dropped)]
    return [*kept, *anew]


def _saved(folder: Path) -> list[str]:
    return list(_read(folder)["overrides"])


def _plugins_in(plan: Mapping[str, Any]) -> list[RecordedPlugin]:
    return plugins_from(plan.get("plugins", []))


def _read(folder: Path) -> dict[str, Any]:
    try:
        plan = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        parse(plan["overrides"])
        _plugins_in(plan)
        return dict(plan)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"trainer.resume={folder}: {folder / _FILE} cannot be read; start the sweep anew."
        ) from error


def _what_it_runs(overrides: Sequence[str]) -> list[str]:
    return [word for word in overrides if not word.startswith((*_MAY_CHANGE, _FOLDER))]
