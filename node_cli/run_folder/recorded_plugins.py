"""What a run records of the plugins that it is made with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from omegaconf import OmegaConf

from node_cli.run_folder.own_files import OwnFiles
from node_cli.run_folder.recorded_file import recorded_yaml
from node_cli.run_folder.writing import subfolder, write_text

_FOLDER, _FILE = ".hydra", "plugins.yaml"


@dataclass(frozen=True)
class RecordedPlugin:
    """A plugin, as a run was made with it.

    Attributes:
        name: of the file, or of the package with its version.
        digest: SHA-256 of its code.
        path: where the file was; None for a package. It is told, and never loaded from.
    """

    name: str
    digest: str
    path: str | None


def record_plugins(folder: Path, plugins: Sequence[RecordedPlugin]) -> None:
    """Write which plugins a run is made with, beside its settings; nothing where there are none.

    Raises:
        OSError: it cannot be written.
    """
    if plugins:
        plain = [asdict(plugin) for plugin in plugins]
        write_text(subfolder(folder, _FOLDER) / _FILE, OmegaConf.to_yaml(plain))


def recorded_plugins(folder: Path) -> list[RecordedPlugin]:
    """The plugins that a run was made with.

    Raises:
        OSError: the record cannot be read.
        ValueError: it is damaged.
    """
    try:
        entries = recorded_yaml(folder / _FOLDER / _FILE)
    except FileNotFoundError:
        return []
    return plugins_from(entries)


def own_files_with(plugins: Iterable[RecordedPlugin], config_dir: Path | None = None) -> OwnFiles:
    """The files that a command names to use these plugins, beside this config folder."""
    return OwnFiles(config_dir, tuple(Path(one.path) for one in plugins if one.path is not None))


def plugins_from(entries: object) -> list[RecordedPlugin]:
    """Plugins from plain values.

    Raises:
        ValueError: they are something else.
    """
    keys = {"name", "digest", "path"}
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict)
        and entry.keys() == keys
        and isinstance(entry["name"], str)
        and isinstance(entry["digest"], str)
        and isinstance(entry["path"], str | None)
        and f"{entry['name']}{entry['path']}".isprintable()
        for entry in entries
    ):
        raise ValueError(f"{_FILE} is not a list of plugins")
    return [RecordedPlugin(**entry) for entry in entries]
