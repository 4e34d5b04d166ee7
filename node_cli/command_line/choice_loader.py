"""Hydra's composition, which puts the files of the same choice of members together only once."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.hydra import Hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig

Kept = dict[tuple[Any, ...], bytes]


@contextmanager
def initialized_hydra(conf: Path, groups: Collection[str]) -> Iterator[Hydra]:
    """Hydra over a config tree, with a ``ChoiceLoader``.

    Args:
        conf: the folder of the config tree.
        groups: that there are, in that folder and in the user's own.
    """
    with initialize_config_dir(str(conf), version_base="1.3", job_name="node-train"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        hydra.config_loader = ChoiceLoader(hydra.config_loader.get_search_path(), groups)
        yield hydra


def nothing_kept() -> Kept:
    """What a new loader knows of earlier configs."""
    return {}


class ChoiceLoader(ConfigLoaderImpl):
    """Hydra's loader for many configs, such as the cells of a sweep.

    Most of the time of a composition goes into the files: which there are, what they say, and how
    they lie over each other. That is the same wherever the same members are chosen. It is done
    once; the values of the command line are put into a copy.

    Args:
        search_path: of Hydra.
        groups: the names that choose a member where they are overridden; others are values.
    """

    def __init__(self, search_path: ConfigSearchPath, groups: Collection[str]) -> None:
        super().__init__(search_path)
        self._groups, self._kept = frozenset(groups), nothing_kept()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}  # a launcher takes the loader to other processes

    def _load_configuration_impl(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        parsed = OverridesParser.create().parse_overrides(overrides=overrides)
        if validate_sweep_overrides:
            self.validate_sweep_overrides_legal(parsed, run_mode, from_shell)
        values = [override for override in parsed if self._is_value(override)]
        choices = tuple(str(o.input_line) for o in parsed if not self._is_value(o))
        key = (config_name, run_mode, *choices)
        if key in self._kept:
            config: DictConfig = pickle.loads(self._kept[key])
        else:
            config = super()._load_configuration_impl(
                config_name, list(choices), run_mode, from_shell, validate_sweep_overrides
            )
            # In the process of a launcher Hydra may have imported the class of a plugin twice.
            with suppress(pickle.PicklingError):
                self._kept[key] = pickle.dumps(config)
        self._apply_overrides_to_config([o for o in values if not o.is_sweep_override()], config)
        _tell_overrides(config, parsed)
        return config

    def _is_value(self, override: Override) -> bool:
        key = override.key_or_group
        return not (key in self._groups or "/" in key or key == "hydra.searchpath")


def _tell_overrides(config: DictConfig, parsed: list[Override]) -> None:
    """Write into the config what Hydra says in it of the command line and of where it is given."""
    hydra = config.hydra
    of_task = [override for override in parsed if not override.is_hydra_override()]
    hydra.overrides.hydra = [o.input_line for o in parsed if o.is_hydra_override()]
    hydra.overrides.task = [override.input_line for override in of_task]
    hydra.runtime.cwd = str(Path.cwd())
    style = hydra.job.config.override_dirname
    hydra.job.override_dirname = get_overrides_dirname(
        of_task, style.exclude_keys, style.item_sep, style.kv_sep
    )
