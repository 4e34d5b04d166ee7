"""What is composed from kept choices is what Hydra composes from the files."""

import pickle

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import HydraException
from omegaconf import OmegaConf

from node_cli.command_line import choice_loader
from node_cli.command_line.choice_loader import initialized_hydra
from node_cli.command_line.folder_name import register_differing
from node_cli.command_line.fresh_folder import register_fresh_folder
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.location import conf_dir

GROUPS = Catalogue([conf_dir()]).groups
COMMANDS = [
    [],
    ["seed=3"],
    ["seed=4", "optimizer.lr=0.5"],
    ["solver=rk4", "solver.num_steps=4"],
    ["solver.num_steps=8", "solver=rk4", "hydra.run.dir=a/b", "seed=1"],
    ["task=cnf-2d", "data=pinwheel", "model.hidden=[8,9]"],
    ["task=cnf-2d", "data=pinwheel", "model.hidden=[8]", "++trainer.max_steps=2"],
    ["experiment=mnist-paper", "~study", "hydra.verbose=true"],
    ["experiment=mnist-paper", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    ["data.path='a b'", "task=cnf-tabular", "objectives=[seconds,error]", "+debug.x={a:1,b:[2]}"],
    ["hydra.job.config.override_dirname.exclude_keys=[seed]", "seed=1", "tolerance.rtol=1e-2"],
]


@pytest.fixture(autouse=True)
def _resolvers():
    register_fresh_folder(claim=False)
    register_differing()


@pytest.fixture
def loaded(monkeypatch):
    """What was composed from the files, one entry for each time."""
    loaded, compose_files = [], ConfigLoaderImpl._compose_config_from_defaults_list

    def counted(loader, defaults, repo):
        loaded.append(defaults)
        return compose_files(loader, defaults=defaults, repo=repo)

    monkeypatch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", counted)
    monkeypatch.setattr(choice_loader, "nothing_kept", dict)
    return loaded


def composed(command):
    return OmegaConf.to_yaml(compose("config", command, return_hydra_config=True))


def test_each_config_is_that_of_hydra_whichever_came_before_it(loaded):
    with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="node-train"):
        of_hydra = [composed(command) for command in COMMANDS]
    assert len(set(of_hydra)) == len(COMMANDS)
    loaded.clear()
    with initialized_hydra(conf_dir(), GROUPS):
        assert [composed(command) for command in COMMANDS] == of_hydra
        assert [composed(command) for command in reversed(COMMANDS)] == of_hydra[::-1]
    choices = {tuple(word for word in command if is_choice(word)) for command in COMMANDS}
    assert len(loaded) == len(choices)


def is_choice(word):
    name = word.lstrip("~").partition("=")[0]
    return name in GROUPS or "/" in name


def test_cells_that_differ_in_values_are_composed_from_the_files_once(loaded, node_train):
    done = node_train("-m", "seed=range(9)", "optimizer.lr=0.1,0.2", "--dry-run")
    assert "18 cells" in done.stdout
    assert len(loaded) == 1


@pytest.mark.parametrize("words", [["seed"], ["a.b=1"], ["solver.rtol=1"], ["task=no"], ["seed=["]])
def test_mistakes_are_those_of_hydra(words):
    mistakes = []
    for hydra in (
        initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="node-train"),
        initialized_hydra(conf_dir(), GROUPS),
    ):
        with hydra, pytest.raises(HydraException) as mistake:
            compose("config", ["seed=1", *words])
        mistakes.append((mistake.type, str(mistake.value), type(mistake.value.__cause__)))
    assert mistakes[0] == mistakes[1]


def test_another_process_reads_the_files_itself():
    with initialized_hydra(conf_dir(), GROUPS) as hydra:
        compose("config", ["seed=1"])
        assert hydra.config_loader._kept
        assert pickle.loads(pickle.dumps(hydra.config_loader))._kept == {}


def test_what_cannot_be_kept_is_composed_again(loaded, monkeypatch):
    def refuse(_config):
        raise pickle.PicklingError("it's not the same object")

    monkeypatch.setattr(choice_loader.pickle, "dumps", refuse)
    with initialized_hydra(conf_dir(), GROUPS):
        assert composed(["seed=1"]) == composed(["seed=1"])
    assert len(loaded) == 2
