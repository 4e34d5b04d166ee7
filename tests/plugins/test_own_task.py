"""A task in a file of the user's own goes through everything that ours do."""

import json
import os
import shutil

import pytest
import yaml
from commands import run_apart
from plugins.small_task import SMALL
from runs import lines, numbers

import node_cli
from node_cli.errors import ConfigError

FLAG = ("--plugin", "pendulum.py")
KINDS = """hidden: Count = 32
    widths: tuple[Count, ...] = (4, 5)
    rates: list[float] = [0.5]
    label: str | None = None
    odd: int = 3

    @field_validator("odd")
    @classmethod
    def _is_odd(cls, odd: int) -> int:
        if odd % 2 == 0:
            raise ValueError("must be odd")
        return odd
"""


def test_it_trains_as_it_is(tmp_path, node_train, pendulum):
    words = ("task=pendulum", "solver=dopri5", "adjoint=full", "trainer.max_epochs=1")
    done = node_train(*FLAG, *words, "data.swings=32", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["best"]["metric"] == "mae"
    assert summary["nfe"]["backward_mean"] > 0
    names = {"swings.png", "mae_per_epoch.png", "nfe_per_epoch.png"}
    assert {path.name for path in (tmp_path / "run" / "figures").iterdir()} == names


def test_it_learns_the_pendulum(tmp_path, node_train, pendulum):
    words = ("task=pendulum", "data.points=10", "data.noise=0.0", "trainer.max_epochs=25")
    done = node_train(*FLAG, *words, "trainer.figures=false", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    final = json.loads((tmp_path / "run" / "summary.json").read_text())["final"]
    assert final["mae/test"] < 0.15  # angles and velocities of about 1; a guess of 0 has 0.6


def test_its_settings_are_swept_over(tmp_path, node_train, pendulum):
    sweep = ("data.points=4,5", "tolerance.rtol=1e-2,1e-3", "hydra.sweep.dir=sweep")
    small = [word for word in SMALL if not word.startswith("data.points")]
    done = node_train(*FLAG, "-m", *small, *sweep)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 cells finished" in done.stdout
    assert len(list((tmp_path / "sweep").glob("*_points=*,rtol=*"))) == 4
    without = node_train("trainer.resume=sweep")
    assert without.returncode == 2
    assert "made with the plugin pendulum.py, which is not in use; give it again" in without.stderr
    again = node_train(*FLAG, "trainer.resume=sweep")
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    ["hydra/launcher=joblib hydra.launcher.n_jobs=2", "hydra/launcher=submitit_local"],
    ids=["joblib", "submitit_local"],
)
def test_the_workers_of_launchers_find_it(tmp_path, pendulum, launcher):
    words = [*FLAG, "-m", *SMALL, "seed=0", *launcher.split(), "hydra.sweep.dir=sweep"]
    done = run_apart(words, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 cells finished" in done.stdout


def test_help_lists_it_with_its_settings(node_train, pendulum):
    page = node_train(*FLAG, "--help").stdout
    assert "task=pendulum" in page
    assert "Learn how a damped pendulum moves" in page
    assert "data.points=50" in page
    assert "Observations along each swing; an integer >= 1" in page
    assert "task=pendulum" not in node_train("--help").stdout


def test_settings_are_shown_and_checked_as_ours(node_train, pendulum):
    shown = yaml.safe_load(node_train(*FLAG, "task=pendulum", "--cfg", "job").stdout)
    assert shown["model"] == {"name": "pendulum-net", "hidden": 32}
    assert shown["optimizer"]["name"] == "adam"
    assert shown["trainer"]["max_epochs"] == 20
    for words, told in (
        ("task=pendlum", "did you mean pendulum?"),
        ("task=pendulum model.hiden=3", "did you mean model.hidden?"),
        ("task=pendulum data.points=0", "data.points=0: must be an integer >= 1"),
        ("task=pendulum model=odenet", "With task=pendulum use model=pendulum-net."),
        ("model=pendulum-net", "model=pendulum-net is for task=pendulum"),
        ("task=pendulum study=figure-3", "use study=gradient-fidelity"),
    ):
        done = node_train(*FLAG, *words.split())
        assert done.returncode == 2
        assert told in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_yaml_file_of_the_users_own_still_counts_before_it(tmp_path, node_train, pendulum):
    folder = tmp_path / "mine" / "data"
    folder.mkdir(parents=True)
    members = {"name": "pendulum-data", "points": 7, "swings": 9, "noise": 0.0}
    sizes = {"batch_size": 3, "eval_batch_size": 3}
    (folder / "pendulum-data.yaml").write_text(yaml.safe_dump({**members, **sizes}))
    shown = node_train(*FLAG, "--config-dir", "mine", "task=pendulum", "--cfg", "job")
    assert yaml.safe_load(shown.stdout)["data"]["points"] == 7
    assert shown.stderr == ""
    small = ("task=pendulum", "model.hidden=4", "trainer.max_steps=1", "trainer.figures=false")
    done = node_train(*FLAG, "--config-dir", "mine", *small)
    assert (done.returncode, done.stderr) == (0, "")
    # A task of the user's own on the plugin's, by the same name.
    folder = tmp_path / "mine" / "task"
    folder.mkdir()
    group = "{name: pendulum, models: [pendulum-net], data: [pendulum-data]}"
    chosen = "defaults: [override /model: pendulum-net, override /data: pendulum-data]"
    (folder / "pendulum.yaml").write_text(f"# @package _global_\n{chosen}\ntask: {group}\n")
    done = node_train(*FLAG, "--config-dir", "mine", *small)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_environment_names_plugins_too(tmp_path, node_train, pendulum):
    done = node_train(*SMALL, "--dry-run", NODE_CLI_PLUGINS=f"{pendulum}{os.pathsep}")
    assert done.returncode == 0, done.stderr
    missing = node_train(*SMALL, "--dry-run", NODE_CLI_PLUGINS="gone.py")
    assert f"NODE_CLI_PLUGINS {tmp_path / 'gone.py'}: there is no such file" in missing.stderr


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("--plugin pendulum.py task=pen", "task=pendulum"),
        ("--plugin pendulum.py task=pendulum model.h", "model.hidden="),
        ("--plugin=pendulum.py task=pendulum data.points=", "data.points=50"),
        ("--plugin pend", "pendulum.py"),
        ("--plugin gone.py task=cnf-2", "task=cnf-2d"),
    ],
)
def test_a_shell_completes_it(node_train, pendulum, line, offered):
    done = node_train("-sc", "query=bash", COMP_LINE=f"node-train {line}")
    assert done.stdout.split() == [offered]
    assert done.stderr == ""


def test_a_run_records_what_it_is_made_with(trained, pendulum):
    (recorded,) = yaml.safe_load((trained / ".hydra" / "plugins.yaml").read_text())
    assert recorded["name"] == "pendulum.py"
    assert recorded["path"] == str(pendulum)
    assert len(recorded["digest"]) == 64
    command = json.loads((trained / "summary.json").read_text())["command"]
    assert command.startswith(f"node-train --plugin {pendulum} task=pendulum")


def test_a_run_without_its_code_records_nothing(tmp_path, node_train, pendulum):
    words = ("model.channels=4", "trainer.max_steps=1", "trainer.figures=false", "solver=euler")
    step = "solver.step_size=0.5"
    done = node_train(*FLAG, *words, step, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run" / ".hydra" / "plugins.yaml").exists()


def test_a_run_goes_on_with_the_same_plugin_only(tmp_path, node_train, trained, pendulum):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    more = ("trainer.resume=run", "trainer.max_steps=6")
    without = node_train(*more)
    assert without.returncode == 2
    assert f"give it again: --plugin {pendulum}." in without.stderr
    text = pendulum.read_text()
    pendulum.write_text(text + "\n# another line\n")
    changed = node_train(*FLAG, *more)
    assert changed.returncode == 2
    assert "the plugin pendulum.py has changed since" in changed.stderr
    after = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    assert after == before
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pendulum.py").write_text(text)
    pendulum.unlink()
    moved = node_train("--plugin", "elsewhere/pendulum.py", *more)
    assert moved.returncode == 0, moved.stderr
    assert lines(trained)[-1]["step"] == 6


def test_a_resumed_run_has_the_numbers_of_one_that_went_through(tmp_path, node_train, trained):
    small = [word for word in SMALL if not word.startswith("trainer.max_steps")]
    constant = ("schedule=constant", "trainer.log_every=1")
    for folder, steps in (("whole", 6), ("parts", 3)):
        words = (f"trainer.max_steps={steps}", f"hydra.run.dir={folder}")
        assert node_train(*FLAG, *small, *constant, *words).returncode == 0
    assert node_train(*FLAG, "trainer.resume=parts", "trainer.max_steps=6").returncode == 0

    def of_training(folder):
        found = numbers(tmp_path / folder)
        return [(line["step"], line["loss/train"]) for line in found if "loss/train" in line]

    assert of_training("parts") == of_training("whole")


def test_no_run_folder_brings_code(tmp_path, node_train, trained, pendulum):
    """What a folder names is told, and never loaded."""
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    path = trained / ".hydra" / "plugins.yaml"
    recorded = yaml.safe_load(path.read_text())
    recorded[0]["path"] = str(trap)
    path.write_text(yaml.safe_dump(recorded))
    assert node_train("trainer.resume=run", "trainer.max_steps=6").returncode == 2
    with pytest.raises(ConfigError):
        _ = node_cli.load(trained).model
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("text", ["- 3", "a: b", "[{name: x}]", "&a [*a]", "\x00"])
def test_a_damaged_record_is_told(node_train, trained, text):
    (trained / ".hydra" / "plugins.yaml").write_text(text)
    done = node_train(*FLAG, "trainer.resume=run", "trainer.max_steps=6")
    assert done.returncode == 2
    assert "what it records of its plugins cannot be read" in done.stderr


@pytest.mark.parametrize(
    "word", ["plugin=pendulum.py", "+plugin=pendulum.py", "task.plugin=x.py", "hydra.plugin=x.py"]
)
def test_no_override_brings_code(node_train, pendulum, word):
    assert node_train(word, "--dry-run").returncode == 2


def test_no_yaml_file_brings_code(tmp_path, node_train, pendulum):
    folder = tmp_path / "mine" / "task"
    folder.mkdir(parents=True)
    group = "{name: 'node_cli_plugin:Pendulum', models: [x], data: [y], task: os:system}"
    (folder / "trap.yaml").write_text(f"# @package _global_\ntask: {group}\n")
    done = node_train("--config-dir", "mine", "task=trap", "--dry-run")
    assert done.returncode == 2
    assert "there is no such task" in done.stderr


def test_a_notebook_has_it_too(tmp_path, monkeypatch, pendulum):
    monkeypatch.chdir(tmp_path)
    run = node_cli.train([*SMALL, "trainer.progress=off"], plugins=["pendulum.py"])
    assert run.config.data.points == 5
    assert type(run.model).__name__ == "Trajectories"
    with pytest.raises(ConfigError, match=r"give it again: plugins=\['"):
        _ = node_cli.load(run.folder).config
    again = node_cli.load(run.folder, plugins=[pendulum])
    assert again.summary == run.summary
    assert type(again.model).__name__ == "Trajectories"
    with pytest.raises(ConfigError, match="there is no such task"):
        node_cli.train(["task=pendulum"])  # of the run before nothing is left
    with pytest.raises(ConfigError, match="give a list of files"):
        node_cli.train(["task=pendulum"], plugins="pendulum.py")


def test_studies_measure_it(tmp_path, node_train, pendulum):
    study = ("study=gradient-fidelity", "study.tolerances=[1e-2,1e-4]", "study.repeats=1")
    checked = ("adjoint=full", "adjoint.check_every=1", "evaluation.tolerance=1e-6")
    done = node_train(*FLAG, *SMALL, *study, *checked, "trainer.log_every=1", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "run" / "gradient-fidelity.csv").read_text().splitlines()
    assert len(rows) == 1 + 4 * 2
    assert any("gradient/relative_error" in line for line in lines(tmp_path / "run"))


def test_what_is_solved_without_odesolve_cannot_be_solved_otherwise(node_train, pendulum):
    text = pendulum.read_text()
    text = text.replace("self.solve = OdeSolve(spec)", "self.spec = spec")
    text = text.replace(
        "self.solve(self.field, start, times)",
        "node_cli.solve(self.field, start, times, rtol=self.spec.rtol).values",
    )
    pendulum.write_text(text)
    assert node_train(*FLAG, *SMALL).returncode == 0
    for word in ("evaluation.rtol=1e-6", "study=gradient-fidelity", "adjoint.check_every=2"):
        done = node_train(*FLAG, *SMALL, word)
        assert done.returncode == 2
        assert "solves its ODE without OdeSolve" in done.stderr


def test_a_file_that_changes_between_two_runs_of_a_process_is_read_again(node_train, pendulum):
    assert "points=50" in node_train(*FLAG, "--help").stdout
    pendulum.write_text(pendulum.read_text().replace("points: Count = 50", "points: Count = 51"))
    assert "points=51" in node_train(*FLAG, "--help").stdout


def test_two_plugins_go_together_and_one_named_twice_is_one(tmp_path, node_train, node_new):
    for name in ("one", "two"):
        assert node_new(name).returncode == 0
    shutil.copy(tmp_path / "one.py", tmp_path / "copy.py")
    both = ("--plugin", "one.py", "--plugin", "two.py", "--plugin", "./one.py")
    page = node_train(*both, "--help").stdout
    assert "task=one" in page
    assert "task=two" in page
    clash = node_train("--plugin", "one.py", "--plugin", "copy.py", "--help")
    assert clash.returncode == 2
    assert "task=one is taken; one.py has one of that name" in clash.stderr


def test_settings_of_several_kinds_are_set_and_told(node_train, pendulum):
    text = pendulum.read_text().replace("hidden: Count = 32", KINDS)
    also = "import node_cli\nfrom pydantic import field_validator\n"
    pendulum.write_text(text.replace("import node_cli\n", also))
    done = node_train(*FLAG, *SMALL, "model.widths=[1,2,3]", "model.label=x", "model.rates=[0.1]")
    assert done.returncode == 0, done.stderr
    for word, told in (
        ("model.widths=3", "model.widths=3: must be a list, each of it an integer >= 1"),
        ("model.widths=[0]", "model.widths[0]=0: must be an integer >= 1"),
        ("model.rates=[a]", "model.rates[0]=a: must be a finite number"),
        ("model.odd=4", "model.odd=4: must be odd"),
    ):
        done = node_train(*FLAG, *SMALL, word)
        assert done.returncode == 2
        assert told in done.stderr


def test_a_task_and_one_that_builds_on_it_are_both_there(node_train, pendulum):
    more = (
        '\n\nclass Heavier(Pendulum):\n    """The same, heavier"""\n\n    name = "heavier"\n'
        '    defaults = {**Pendulum.defaults, "seed": 4}\n'
    )
    pendulum.write_text(pendulum.read_text() + more)
    for task, seed in (("pendulum", 0), ("heavier", 4)):
        shown = node_train(*FLAG, f"task={task}", "--cfg", "job")
        assert shown.returncode == 0, shown.stderr
        assert yaml.safe_load(shown.stdout)["seed"] == seed


def test_a_field_whose_weights_are_not_known_is_refused_by_the_adjoint(node_train, pendulum):
    """It would not be trained, and nobody would know."""
    start = "        return self.solve(self.field, start, times)"
    hidden = "        return self.solve(lambda t, y: self.field(t, y), start, times)"
    pendulum.write_text(pendulum.read_text().replace(start, hidden))
    assert node_train(*FLAG, *SMALL, "adjoint=direct").returncode == 0
    for mode in ("full", "seminorm", "checkpointed"):
        done = node_train(*FLAG, *SMALL, f"adjoint={mode}")
        assert done.returncode == 1
        assert f"get no gradient with adjoint={mode}" in done.stderr
        assert "pendulum.py, line " in done.stderr


def test_a_link_and_a_detour_are_the_same_file(tmp_path, node_train, pendulum):
    (tmp_path / "link.py").symlink_to(pendulum)
    (tmp_path / "sub").mkdir()
    again = ("--plugin", "link.py", "--plugin", "sub/../pendulum.py")
    assert node_train(*FLAG, *again, "task=pendulum", "--dry-run").returncode == 0


def test_another_plugin_is_not_taken_for_a_changed_one(tmp_path, node_train, trained, pendulum):
    other = tmp_path / "pendulum two.py"
    other.write_text(pendulum.read_text().replace('"pendulum', '"second'))
    done = node_train("--plugin", other.name, "trainer.resume=run")
    assert "which is not in use; give it again" in done.stderr
