import os

# A worker for each core leaves one thread to each: more only wait for one another. Set before
# torch is imported, and for the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
from collections import Counter

import pytest
import torch
from commands import run_here
from hydra import compose
from hydra_files import files_read_once

from node_cli.cli import node_train as node_train_function
from node_cli.command_line.choice_loader import initialized_hydra
from node_cli.command_line.composition import validate_composed
from node_cli.command_line.overrides import with_aliases
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.location import conf_dir


def pytest_runtest_setup(item):
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.hookimpl(tryfirst=True)  # whatever is left out afterwards, in the same order
def pytest_collection_modifyitems(items):
    """Begin with the files that hold most slow tests, so that none is left over for one worker."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish():
    # A run looks for garbage before it measures memory; not in all that the tests have imported.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _hydra_reads_once():
    with files_read_once():
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk():
    """Runs sync what they write, twenty times a run; what a power failure leaves is not tested."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="session")
def config_of():
    """The validated config of some overrides, as the command line composes it."""

    groups = Catalogue([conf_dir()]).groups

    def config_of(*overrides):
        with initialized_hydra(conf_dir(), groups):
            return validate_composed(compose("config", with_aliases(overrides)))

    return config_of


@pytest.fixture
def node_train(tmp_path):
    """Runs the command in an empty folder; returns what it printed and its exit code."""

    def node_train(*words, cwd=tmp_path, **environment):
        return run_here(node_train_function, words, cwd, **environment)

    return node_train
