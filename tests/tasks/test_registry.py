"""The tasks that there are, and that nothing else knows of them."""

import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from commands import run_here

from node_cli.cli import node_train as node_train_function
from node_cli.errors import ConfigError
from node_cli.schema.location import conf_dir
from node_cli.tasks.base import Task
from node_cli.tasks.registry import entries, find_entry, find_task, tasks_with
from node_cli.tasks.validation import validate

PACKAGE = Path(__file__).parents[2] / "node_cli"
SERIES = {
    "task": ["latent-series", "latent-spirals"],
    "model": ["latent-ode", "rnn-vae", "rnn", "rnn-decay", "ode-rnn"],
    "data": ["spirals", "periodic"],  # csv is of dynamics too
    "experiment": ["paper/table-2"],
}


@pytest.mark.parametrize(
    "name",
    [
        "bouncing-ball",
        "cnf-2d",
        "cnf-tabular",
        "concentric",
        "dynamics",
        "latent-sde",
        "latent-series",
        "latent-spirals",
        "mnist-odenet",
        "sde-gan",
    ],
)
def test_a_task_is_what_its_entry_and_its_file_say(name):
    entry = entries()[name]
    made_by = find_task(name)  # a class, or a function where the model decides which
    assert issubclass(made_by, Task) if isinstance(made_by, type) else callable(made_by)
    assert entry.ode_model in (*entry.members("model"), None)
    content = yaml.safe_load((conf_dir() / "task" / f"{name}.yaml").read_text())
    assert content["task"]["name"] == name
    for group, key in (("model", "models"), ("data", "data")):
        assert sorted(content["task"][key]) == sorted(entry.members(group))
        for member in entry.members(group):
            assert (conf_dir() / group / f"{member}.yaml").exists()


def test_each_file_of_the_config_tree_belongs_to_a_task():
    for group in ("model", "data"):
        for path in (conf_dir() / group).glob("*.yaml"):
            assert tasks_with(group, path.stem), path
    assert sorted(path.stem for path in (conf_dir() / "task").glob("*.yaml")) == list(entries())


def test_a_task_that_is_not_there_is_told():
    with pytest.raises(ConfigError, match="did you mean cnf-2d"):
        find_entry("cnf-2")


def test_entries_bring_no_torch():
    code = (
        "import sys; from node_cli.tasks.registry import entries; entries();"
        " print({'torch', 'numpy', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_family_is_a_folder_and_its_files(tmp_path):
    """Without them nothing else of the program is missing."""
    shutil.copytree(PACKAGE, tmp_path / "node_cli", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(conf_dir(), tmp_path / "conf")
    shutil.rmtree(tmp_path / "node_cli" / "tasks" / "series")
    for group, members in SERIES.items():
        for member in members:
            (tmp_path / "conf" / group / f"{member}.yaml").unlink()
    code = (
        "import importlib, pkgutil, node_cli\n"
        f"assert node_cli.__file__.startswith({str(tmp_path)!r})\n"
        "for module in pkgutil.walk_packages(node_cli.__path__, 'node_cli.'):\n"
        "    importlib.import_module(module.name)\n"
        "from node_cli.cli import node_train\n"
        "words = ['trainer.max_steps=1', 'trainer.figures=false', 'model.channels=4']\n"
        "assert node_train(['--help']) == 0\n"
        "assert node_train([*words, 'hydra.run.dir=run']) == 0\n"
        "assert node_train(['task=latent-spirals']) == 2\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "there is no such task" in done.stderr
    for name in ("latent-series", "latent-spirals", "latent-ode"):
        assert name not in done.stdout


def test_a_file_of_the_users_own_can_name_fewer_members(tmp_path):
    folder = tmp_path / "mine" / "task"
    folder.mkdir(parents=True)
    group = "task: {name: mnist-odenet, models: [odenet], data: [mnist-mini]}\n"
    (folder / "lecture.yaml").write_text(f"# @package _global_\n{group}")
    words = ["--config-dir", "mine", "task=lecture", "--dry-run"]
    assert run_here(node_train_function, words, tmp_path).returncode == 0
    done = run_here(node_train_function, [*words, "model=resnet"], tmp_path)
    assert done.returncode == 2
    assert "With task=mnist-odenet use model=odenet." in done.stderr
    (folder / "lecture.yaml").write_text(
        f"# @package _global_\n{group.replace('odenet]', 'odenet, rnn]')}"
    )
    done = run_here(node_train_function, words, tmp_path)
    assert "task.models=[odenet,rnn]: task=mnist-odenet takes no model=rnn" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("task=latent-spirals model=rnn study=gradient-fidelity", "use model=latent-ode."),
        ("model=resnet study=gradient-fidelity", "use model=odenet."),
        ("task=latent-spirals model=rnn evaluation.solver=dopri8", "or use model=latent-ode."),
    ],
)
def test_advice_names_what_the_task_takes(tmp_path, words, told):
    done = run_here(node_train_function, words.split(), tmp_path)
    assert done.returncode == 2
    assert told in done.stderr


def test_every_module_of_a_family_stays_in_its_family():
    """No family imports another one."""
    families = [path.parent.name for path in (PACKAGE / "tasks").glob("*/entry.py")]
    assert len(families) >= 3
    for family in families:
        for path in (PACKAGE / "tasks" / family).glob("*.py"):
            for other in set(families) - {family}:
                assert f"node_cli.tasks.{other}" not in path.read_text(), path


def test_the_entry_of_a_task_names_a_module_of_its_family():
    for entry in entries().values():
        pkgutil.resolve_name(entry.task)
        assert entry.task.startswith("node_cli.tasks.")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "task is missing"),
        ({"task": None, "model": 3}, "task=null: must be"),
        ({"task": {"name": 3}}, "task.name=3: must be a text"),
        ({"task": {"name": "cnf-2d", "models": "all", "data": [1]}}, "task.models=all: must be"),
        ({"task": {"name": "cnf-2d"}, "model": {"name": ["x"]}}, "task.models is missing"),
    ],
    ids=str,
)
def test_a_config_of_any_shape_is_answered(config, told):
    with pytest.raises(ConfigError) as raised:
        validate(config)
    assert told in str(raised.value)


def test_families_that_read_files_of_packages_say_what_they_hold():
    """So that a run is not resumed on the data of another version of a package."""
    reads = "from node_cli.data.installed_package import"
    families = {
        path.parent.name
        for path in (PACKAGE / "tasks").glob("*/*.py")
        if reads in path.read_text(encoding="utf-8")
    }
    assert families
    for entry in entries().values():
        if entry.task.split(".")[2] in families:
            assert find_task(entry.name).published_data is not Task.published_data, entry.name
