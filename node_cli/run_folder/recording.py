"""The record of a run's settings, which tells what was asked for and makes it possible to go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from node_cli.run_folder.recorded_plugins import RecordedPlugin, record_plugins
from node_cli.run_folder.writing import subfolder, write_text

_FOLDER = ".hydra"
_OVERRIDES = "overrides.yaml"
RESUME = "trainer.resume"


def overrides_file(folder: Path) -> Path:
    """The file with the overrides of a run; a folder without it holds no run that has begun."""
    return folder / _FOLDER / _OVERRIDES


def record_settings(
    folder: Path, config: DictConfig, plugins: Sequence[RecordedPlugin] = ()
) -> None:
    """Write ``.hydra`` as Hydra would, which does so before we have checked anything.

    Args:
        folder: the run folder.
        config: of the run, in which Hydra's own part is missing; that is asked from Hydra.
        plugins: that it is made with.

    Raises:
        OSError: it cannot be written.
    """
    place = subfolder(folder, _FOLDER)
    hydra = HydraConfig.get()
    write_text(place / "config.yaml", OmegaConf.to_yaml(config))
    write_text(place / "hydra.yaml", OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra})))
    record_plugins(folder, plugins)
    # What gives the run again does not depend on how often it was resumed.
    overrides = [word for word in hydra.overrides.task if not word.startswith(f"{RESUME}=")]
    write_text(place / _OVERRIDES, OmegaConf.to_yaml(overrides))  # last: now it has begun
