"""Hydra reads all of its files anew for each config; tests compose thousands."""

import pickle
from contextlib import contextmanager
from unittest.mock import patch

from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.object_type import ObjectType

from node_cli.schema.location import conf_dir


@contextmanager
def files_read_once():
    """Keep what no test changes, our config tree and Hydra's own; each config has copies of it."""
    read, kept = ConfigRepository.load_config, {}

    def load_config(repository, config_path):
        source = repository._find_object_source(config_path, ObjectType.CONFIG)
        if isinstance(source, FileConfigSource):
            stays = source.path == str(conf_dir())
        else:
            stays = source is not None and config_path.startswith("hydra/")
        if not stays:
            return read(repository, config_path)
        key = (source.full_path(), config_path)
        if key not in kept:
            kept[key] = pickle.dumps(read(repository, config_path))
        return pickle.loads(kept[key])

    with patch.object(ConfigRepository, "load_config", load_config):
        yield
