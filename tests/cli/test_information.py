"""Flags that show something and run nothing."""

import subprocess
import sys

import hydra
import hydra._internal.utils
import pytest
import yaml

import node_cli.training.run
from node_cli import __version__
from node_cli.cli import node_train as node_train_here
from node_cli.methods import METHODS


def test_the_help_page_names_what_can_be_chosen(node_train, tmp_path):
    shown = node_train("--help")
    assert shown.returncode == 0
    for word in ("mnist-odenet", *METHODS, "direct", "full", "seminorm", "on", "off"):
        assert f" {word}" in shown.stdout, word
    examples = shown.stdout.partition("Examples")[2]
    assert examples.count("node-train") == 7
    assert "dopri5*" in shown.stdout
    assert not list(tmp_path.iterdir())


def test_the_examples_of_the_help_page_are_valid(node_train):
    page = node_train("--help").stdout.partition("Examples")[2]
    commands = [line.split()[1:] for line in page.splitlines() if "node-train" in line]
    for words in commands:
        if not any(word.startswith("trainer.resume") for word in words):
            given = [word for word in words if word != "--dry-run"]
            assert node_train(*given, "--cfg", "job").returncode == 0, words


def test_cfg_job_shows_the_config_and_makes_no_folder(node_train, tmp_path):
    shown = node_train("--cfg", "job", "solver=rk4", "solver.step_size=0.2")
    assert shown.returncode == 0
    config = yaml.safe_load(shown.stdout)
    assert config["solver"]["name"] == "rk4"
    assert config["solver"]["step_size"] == 0.2
    assert not list(tmp_path.iterdir())


def test_the_version(node_train):
    assert node_train("--version").stdout.strip() == f"node-cli {__version__}"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["--cfg", "job"], ["solver=dopri55"], ["tolerance.rtol=-1"]],
)
def test_nothing_heavy_is_imported_before_a_run_is_certain(arguments, tmp_path):
    code = (
        "import sys\n"
        "from node_cli.cli import node_train\n"
        f"node_train({arguments!r})\n"
        "heavy = {'torch', 'torchdiffeq', 'matplotlib', 'numpy', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_groups_of_the_users_own_are_found(node_train, tmp_path):
    (tmp_path / "mine" / "tolerance").mkdir(parents=True)
    own = tmp_path / "mine" / "tolerance" / "lecture.yaml"
    own.write_text("# of the lecture\nrtol: 1e-5\natol: 1e-7\n")
    config = yaml.safe_load(
        node_train("--config-dir", "mine", "tolerance=lecture", "--cfg", "job").stdout
    )
    assert config["tolerance"] == {"rtol": 1e-5, "atol": 1e-7}
    assert "of the lecture" in node_train("--config-dir", "mine", "--help").stdout


def test_shell_completion_completes_members(node_train):
    done = node_train(
        "-sc", "query=bash", COMP_LINE="node-train solver=dop", COMP_POINT="21", _HYDRA_OLD_COMP="1"
    )
    assert done.returncode == 0
    assert {"solver=dopri5", "solver=dopri8"} <= set(done.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        ("--cfg", "job"),
        ("--info", "defaults"),
        ("--hydra-help",),
        ("-sc", "install=bash"),
        ("-sc", "query=bash"),
        ("--dry-run",),
        ("hydra.run.dir=here",),
    ],
)
def test_hydra_never_builds_its_own_parser(tmp_path, monkeypatch, words):
    """Under Python 3.14 it cannot: one of its help texts is no text."""

    def badly_formed():
        raise ValueError("badly formed help string")

    for module in (hydra.main.__globals__, vars(hydra._internal.utils)):
        monkeypatch.setitem(module, "get_args_parser", badly_formed)
    monkeypatch.setattr(node_cli.training.run, "run", lambda *_, **__: {})
    monkeypatch.setenv("COMP_LINE", "node-train solver=")
    monkeypatch.chdir(tmp_path)
    assert node_train_here(words) == 0
