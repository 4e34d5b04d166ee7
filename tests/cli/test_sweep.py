"""Whole sweeps of the real command."""

import json
import os
import signal

import pytest
from commands import run_here
from runs import TINY, numbers, same_weights, started, until_logged
from small_images import small_images
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from node_cli.cli import node_train as node_train_function
from node_cli.run_folder.folder_lock import FolderLock

QUICK = [word for word in TINY if not word.startswith("solver")]


def sweep_folder(tmp_path):
    (folder,) = (tmp_path / "outputs" / "mnist-odenet" / "multirun").iterdir()
    return folder


def summaries(sweep):
    found = {
        path.parent.name: json.loads(path.read_text()) for path in sweep.glob("*/summary.json")
    }
    return dict(sorted(found.items()))


@pytest.mark.slow
def test_each_cell_has_a_folder_named_by_what_differs(node_train, tmp_path):
    done = node_train("-m", *QUICK, "solver=glob(eul*)", "solver.num_steps=1,2", "seed=range(2)")
    assert done.returncode == 0, done.stderr
    sweep = sweep_folder(tmp_path)
    names = [f"solver=euler,num_steps={n},seed={seed}" for n in (1, 2) for seed in (0, 1)]
    # One glob matches one solver only, so that it is fixed, and no part of the names.
    names = [name.removeprefix("solver=euler,") for name in names]
    assert list(summaries(sweep)) == [f"{i}_{name}" for i, name in enumerate(names)]
    assert [s["settings"]["solver.num_steps"] for s in summaries(sweep).values()] == [1, 1, 2, 2]
    assert "cell 3 of 4 · num_steps=2 seed=0 · about" in done.stdout
    assert "4 of 4 cells finished" in done.stdout
    table = done.stdout.partition("\ncell  ")[2].splitlines()
    assert [" ".join(row.split()[1:4]) for row in table[1:5]] == [
        f"{name.replace(',', ' ')} finished" for name in names
    ]
    # TensorBoard's run names are the folders' names; each has its settings and the layout.
    for name in summaries(sweep):
        events = EventAccumulator(str(sweep / name)).Reload()
        assert events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        assert "custom_scalars__config__" in events.Tags()["tensors"]


@pytest.mark.slow
def test_a_cell_that_fails_is_recorded_and_the_others_go_on(node_train, tmp_path):
    done = node_train(
        "-m", *TINY, "optimizer.lr=1e30,0.1", "model=odenet,rk-net", "adjoint=direct,full"
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    cells = summaries(sweep_folder(tmp_path))
    status = {name.partition("_")[2]: cell["status"] for name, cell in cells.items()}
    assert status == {
        "lr=1e+30,model=odenet,adjoint=direct": "failed",
        "lr=1e+30,model=odenet,adjoint=full": "failed",
        "lr=1e+30,model=rk-net,adjoint=direct": "failed",
        "lr=1e+30,model=rk-net,adjoint=full": "failed",
        "lr=0.1,model=odenet,adjoint=direct": "finished",
        "lr=0.1,model=odenet,adjoint=full": "finished",
        "lr=0.1,model=rk-net,adjoint=direct": "finished",
        "lr=0.1,model=rk-net,adjoint=full": "failed",
    }
    causes = [cell["cause"] for cell in cells.values() if cell["status"] == "failed"]
    assert sum("no longer finite" in cause for cause in causes) == 3
    assert sum("RK-Net is backpropagated directly" in cause for cause in causes) == 2
    assert "3 of 8 cells finished" in done.stdout
    for cause in causes:
        assert cause in done.stdout


def test_a_sweep_of_which_no_cell_is_possible_is_refused(node_train, tmp_path):
    done = node_train("-m", *TINY, "model=rk-net", "adjoint=full,seminorm")
    assert done.returncode == 2
    assert "RK-Net is backpropagated directly" in done.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """The words of a sweep whose cells take a few epochs."""
    images = small_images(tmp_path_factory.mktemp("images"))
    return [*TINY, *images, "trainer.max_steps=150", "seed=0,1,2"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, longer):
    """A sweep that was not stopped."""
    folder = tmp_path_factory.mktemp("sweep")
    done = run_here(node_train_function, ["-m", *longer, "hydra.sweep.dir=whole"], folder)
    assert done.returncode == 0, done.stderr
    return folder / "whole"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "launcher"), [(signal.SIGINT, "basic"), (signal.SIGTERM, "joblib")]
)
def test_a_stopped_sweep_goes_on_to_the_same_numbers(
    node_train, longer, whole, tmp_path, number, launcher
):
    process = started(
        tmp_path,
        "-m",
        *longer,
        "hydra.sweep.dir=stopped",
        f"hydra/launcher={launcher}",
        *(["hydra.launcher.n_jobs=1"] if launcher == "joblib" else []),
    )
    until_logged(tmp_path / "stopped" / "1_seed=1", 5, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "1 of 3 cells are finished. Go on with: node-train trainer.resume=" in errors
    assert "Traceback" not in errors
    states = {name: cell["status"] for name, cell in summaries(tmp_path / "stopped").items()}
    assert states == {"0_seed=0": "finished", "1_seed=1": "interrupted"}
    first = (tmp_path / "stopped" / "0_seed=0" / "summary.json").read_bytes()

    resumed = node_train("trainer.resume=stopped", "hydra/launcher=basic")
    assert resumed.returncode == 0, resumed.stderr
    assert "cell 1 of 3 · seed=0 · finished before" in resumed.stdout
    assert "3 of 3 cells finished" in resumed.stdout
    assert (tmp_path / "stopped" / "0_seed=0" / "summary.json").read_bytes() == first
    for name in ("0_seed=0", "1_seed=1", "2_seed=2"):
        one, other = tmp_path / "stopped" / name, whole / name
        assert numbers(one) == numbers(other)
        assert same_weights(one, other)


@pytest.mark.slow
def test_a_killed_cell_starts_again_where_it_left_no_checkpoint(node_train, tmp_path):
    words = [*TINY, "trainer.max_steps=100", "trainer.checkpoint_every=1000", "seed=0,1"]
    process = started(tmp_path, "-m", *words, "hydra.sweep.dir=killed")
    first = tmp_path / "killed" / "0_seed=0"
    until_logged(first, 2, process)
    process.kill()
    process.communicate()
    assert not (first / "summary.json").exists()
    done = node_train("trainer.resume=killed")
    assert done.returncode == 0, done.stderr
    steps = [line["step"] for line in numbers(first) if "loss/train" in line]
    assert steps == list(range(2, 101, 2))


@pytest.mark.slow
def test_another_run_in_the_way_is_kept(node_train, tmp_path):
    assert node_train("-m", *TINY, "seed=0", "hydra.sweep.dir=there").returncode == 0
    before = (tmp_path / "there" / "0" / "summary.json").read_bytes()
    done = node_train("-m", *TINY, "seed=1", "hydra.sweep.dir=there")
    assert done.returncode == 2
    assert "another sweep is in it" in done.stderr
    assert (tmp_path / "there" / "0" / "summary.json").read_bytes() == before
    same = node_train("-m", *TINY, "seed=0", "hydra.sweep.dir=there")
    assert same.returncode == 0
    assert "cell 1 of 1 · finished before" in same.stdout
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    done = node_train("-m", *TINY, "seed=0", "hydra.sweep.dir=mine")
    assert done.returncode == 2
    assert "something else in it" in done.stderr


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run that is a cell of each launcher's sweep."""
    folder = tmp_path_factory.mktemp("alone")
    words = [*TINY, "optimizer.lr=0.1", "hydra.run.dir=run"]
    done = run_here(node_train_function, words, folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "launcher"),
    [
        ("hydra_joblib_launcher", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]),
        ("hydra_submitit_launcher", ["hydra/launcher=submitit_local"]),
        ("hydra_ray_launcher", ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"]),
    ],
)
def test_a_launcher_gives_the_same_sweep(node_train_process, alone, tmp_path, module, launcher):
    pytest.importorskip(f"hydra_plugins.{module}")
    done = node_train_process("-m", *TINY, *launcher, "optimizer.lr=1e30,0.1")
    assert done.returncode == 1
    cells = summaries(sweep_folder(tmp_path))
    assert [cell["status"] for cell in cells.values()] == ["failed", "finished"]
    assert f"2 cells · launcher {launcher[0].partition('=')[2]}" in done.stdout
    assert "2 of 2 · cell " in done.stdout
    assert done.stdout.count("finished, test error") == 1
    assert "1 of 2 cells finished" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    (same,) = sweep_folder(tmp_path).glob("1_*")
    assert numbers(same) == numbers(alone)


@pytest.mark.slow
def test_a_search_minimises_and_can_be_continued(node_train, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    words = ["hydra/sweeper=optuna", "optimizer.lr=tag(log,interval(1e-3,1e-1))"]
    done = node_train("-m", *TINY, *words, "hydra.sweeper.n_trials=3")
    assert done.returncode == 0, done.stderr
    sweep = sweep_folder(tmp_path)
    cells = summaries(sweep)
    rates = {cell["settings"]["optimizer.lr"]: cell["best"]["value"] for cell in cells.values()}
    assert len(rates) == 3
    best = min(rates, key=lambda rate: 1 - rates[rate])
    assert f"validation error {1 - rates[best]:.4g} · optimizer.lr={best:.4g}" in done.stdout

    longer = node_train(f"trainer.resume={sweep}", "hydra.sweeper.n_trials=4")
    assert longer.returncode == 0, longer.stderr
    assert longer.stdout.count("finished before") == 3
    assert len(summaries(sweep)) == 4
    assert cells.items() <= summaries(sweep).items()


@pytest.mark.slow
def test_a_search_for_two_things_gives_their_trade_offs(node_train, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    done = node_train(
        "-m", *QUICK, "solver=rk4", "solver.num_steps=range(1,4)", "model=odenet,rk-net",
        "adjoint=full", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6",
        "objectives=[nfe_forward,error]",
    )  # fmt: skip
    cells = summaries(sweep_folder(tmp_path)).values()
    reached = {
        (cell["nfe"]["forward_mean"], 1 - cell["best"]["value"])
        for cell in cells
        if cell["status"] == "finished"
    }
    # RK-Net cannot have this adjoint: its cells fail, and the search goes on without them.
    assert 0 < len(reached) < 6
    assert done.returncode == 1
    front = {
        p for p in reached if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in reached)
    }
    shown = [line for line in done.stdout.splitlines() if line.strip().startswith("nfe_forward ")]
    told = {line.partition("·")[0].strip() for line in shown}
    assert told == {f"nfe_forward {nfe:.4g}, validation error {error:.4g}" for nfe, error in front}


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ("hydra/launcher=joblip seed=0,1", ["no such launcher", "did you mean joblib?"]),
        ("hydra/sweeper=optuna hydra/sweeper/sampler=tpee seed=0,1", ["one of tpe, random"]),
        ("hydra.launcher.setup=[reboot] seed=0,1", ["leaves this to itself"]),
        ("hydra.sweeper.custom_search_space=os.system seed=0,1", ["leaves this to itself"]),
        ("hydra.sweeper.direction=maximize seed=0,1", ["leaves this to itself"]),
        ("optimizer.lr=interval(0,1)", ["add hydra/sweeper=optuna"]),
        ("hydra/launcher=joblib,basic seed=0,1", ["a sweep has one launcher"]),
        ("solver=glob(zz*) seed=0,1", ["no member of solver matches"]),
        ("objectives=[speed] seed=0,1", ["objectives", "error, nfe_forward"]),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_in_one_sentence(node_train, tmp_path, words, fragments):
    if "sweeper=optuna " in words:
        pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    done = node_train("-m", *words.split(" "))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    for fragment in fragments:
        assert fragment in line
    assert not list(tmp_path.iterdir())


def test_a_config_folder_that_a_sweep_names_is_used_only_with_the_users_word(node_train, tmp_path):
    mine = tmp_path / "mine" / "tolerance"
    mine.mkdir(parents=True)
    (mine / "lecture.yaml").write_text("rtol: 1e-2\natol: 1e-2\n")
    words = ["-m", *TINY, "tolerance=lecture", "seed=0,1", "hydra.sweep.dir=sweep"]
    assert node_train("--config-dir", "mine", *words).returncode == 0
    done = node_train("trainer.resume=sweep")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "Name it again if you trust it: node-train --config-dir" in line
    done = node_train("--config-dir", "mine", "trainer.resume=sweep")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 cells finished" in done.stdout


@pytest.mark.slow
def test_a_cell_that_was_resumed_by_itself_is_still_a_cell_of_its_sweep(node_train, tmp_path):
    words = ["-m", *TINY, "seed=0,1", "hydra.sweep.dir=sweep"]
    assert node_train(*words).returncode == 0
    cell = tmp_path / "sweep" / "0_seed=0"
    (cell / "summary.json").unlink()  # as if it had been killed in its test
    assert node_train(f"trainer.resume={cell}").returncode == 0
    done = node_train("trainer.resume=sweep")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 cells finished" in done.stdout
    assert "trainer.resume" not in json.loads((cell / "summary.json").read_text())["command"]


def test_a_sweep_that_another_process_runs_is_told_and_left_alone(node_train, tmp_path):
    words = ["-m", *TINY, "seed=0,1", "hydra.sweep.dir=sweep"]
    (tmp_path / "sweep").mkdir()
    with FolderLock(tmp_path / "sweep"):
        assert "another process works on it" in node_train(*words).stderr
        (tmp_path / "sweep" / "sweep.json").write_text(
            json.dumps({"overrides": [*TINY, "seed=0,1"], "config_dir": None})
        )
        before = (tmp_path / "sweep" / "sweep.json").read_text()
        for given in (words, ["trainer.resume=sweep"]):
            done = node_train(*given)
            assert done.returncode == 2
            assert f"another process works on it (process {os.getpid()}" in done.stderr
    assert (tmp_path / "sweep" / "sweep.json").read_text() == before
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == ["sweep.json"]


def test_a_launcher_that_is_not_installed_is_told(node_train_process, tmp_path):
    # A package without plugins stands before the real one.
    (tmp_path / "empty" / "hydra_plugins").mkdir(parents=True)
    (tmp_path / "empty" / "hydra_plugins" / "__init__.py").write_text("")
    done = node_train_process("-m", "hydra/launcher=joblib", "seed=0,1", PYTHONPATH="empty")
    assert done.returncode == 2
    assert "pip install 'node-cli[joblib]'" in done.stderr
