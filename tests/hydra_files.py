"""Hydra reads all of its files anew for each config; tests compose thousands."""

import pickle
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType

from node_cli.command_line import choice_loader
from node_cli.schema.location import conf_dir


@contextmanager
def files_read_once():
    """Keep what no test changes, our config tree and Hydra's own; each config has copies of it."""
    read, kept = ConfigRepository.load_config, {}

    def load_config(repository, config_path):
        source = repository._find_object_source(config_path, ObjectType.CONFIG)
        # Hydra may import the classes of its sources anew: they are known by their scheme.
        if source is None:
            stays = False
        elif source.scheme() == "file":
            stays = source.path == str(conf_dir())
        else:
            stays = config_path.startswith("hydra/")
        if not stays:
            return read(repository, config_path)
        key = (source.full_path(), config_path)
        if key not in kept:
            kept[key] = pickle.dumps(read(repository, config_path))
        return pickle.loads(kept[key])

    chosen = _ChosenOfTheTree()
    with ExitStack() as patched:
        patched.enter_context(patch.object(ConfigRepository, "load_config", load_config))
        patched.enter_context(patch.object(choice_loader, "nothing_kept", lambda: chosen))
        yield


class _ChosenOfTheTree(dict):
    """The choices of members that are all files of the config tree; others may change."""

    def __setitem__(self, key, content):
        _name, _mode, *choices = key
        if all(_is_of_the_tree(word) for word in choices):
            super().__setitem__(key, content)


def _is_of_the_tree(choice):
    group, _, members = choice.partition("=")
    return all((conf_dir() / group / f"{name}.yaml").is_file() for name in members.split(","))
