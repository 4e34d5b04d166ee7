"""Mistakes are answered in one sentence, with an exit code, and leave nothing behind."""

import pytest
import torch

from node_cli.cli import node_train as node_train_here
from node_cli.tasks.images.idx import write_idx


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ("solver=dopri55", ["solver=dopri55: there is no such solver", "did you mean dopri5?"]),
        ("tolerance.rtol=nan", ["tolerance.rtol=nan", "a finite number >= 0"]),
        ("tolerance.rtol=0 tolerance.atol=0", ["at least one of them must be > 0"]),
        ("optimizer.lr=inf", ["optimizer.lr=inf", "a finite number > 0"]),
        ("seed=1.5", ["seed=1.5", "an integer from 0"]),
        (
            "task=",
            ["task='': there is no such task", "Known: bouncing-ball, cnf-2d", "mnist-odenet"],
        ),
        ("task=mnist-odnet", ["did you mean mnist-odenet?"]),
        ("trainer.max_steps=-3", ["trainer.max_steps=-3", "an integer >= 1"]),
        ("tolerance.rtoll=1e-3", ["tolerance.rtoll=1e-3", "did you mean tolerance.rtol?"]),
        ("+tolerance.rtoll=1e-3", ["tolerance.rtoll=0.001", "did you mean tolerance.rtol?"]),
        ("tolernace=tight", ["tolernace=tight", "did you mean tolerance?"]),
        ("model.blocks=3", ["model=euler-net and model=resnet"]),
        ("solver=rk4 solver.step_size=0", ["solver.step_size=0", "a finite number > 0"]),
        ("solver=scipy-LSODA adjoint=direct", ["use adjoint=full"]),
        ("solver=rk4,euler", ["needs the flag -m"]),
        ("-m seed=0,1,-2", ["seed=-2", "an integer from 0"]),
        ("--hlep", ["there is no such flag", "did you mean --help?"]),
        ("-m --info=all", ["only one of these"]),
        ("--config-dir=nowhere", ["there is no such folder"]),
        ("model._target_=os.system", ["cannot name code"]),
        ("+hydra.callbacks.x._target_=os.system", ["cannot name code"]),
        ("trainer.resume=nowhere", ["there is no folder"]),
        ("-m trainer.resume=nowhere", ["leave out -m"]),
        ("data=mnist data.root=nowhere/at/all data.download=false", ["nowhere/at/all"]),
    ],
)
def test_one_sentence(node_train, tmp_path, words, fragments):
    done = node_train(*words.split(" "))
    assert done.returncode != 0
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("node-train: ")
    for fragment in fragments:
        assert fragment in lines[0]
    assert "Traceback" not in done.stdout + done.stderr


def test_a_wrong_config_leaves_no_folder(node_train, tmp_path):
    node_train("tolerance.rtol=-1")
    node_train("-m", "seed=0,-1")
    assert not list(tmp_path.iterdir())


def test_a_traceback_is_shown_to_who_asks_for_it(node_train):
    done = node_train("tolerance.rtol=-1", "debug=on")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("damage", ["missing", "cut", "wrong-magic", "not-gzip"])
def test_a_damaged_data_file_is_named(node_train, tmp_path, damage):
    raw = tmp_path / "root" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        write_idx(raw / f"{part}-images-idx3-ubyte", torch.zeros(20, 28, 28, dtype=torch.uint8))
        write_idx(raw / f"{part}-labels-idx1-ubyte", torch.zeros(20, dtype=torch.uint8))
    target = raw / "train-images-idx3-ubyte"
    if damage == "missing":
        target.unlink()
    elif damage == "cut":
        target.write_bytes(target.read_bytes()[:-100])
    elif damage == "wrong-magic":
        target.write_bytes(b"\x00\x00\x0d" + target.read_bytes()[3:])
    else:
        target.rename(raw / "train-images-idx3-ubyte.gz")
    done = node_train("data=mnist", "data.root=root", "data.download=false")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "train-images-idx3-ubyte" in line
    assert "Traceback" not in done.stderr


def test_an_output_folder_that_cannot_be_made_is_named(node_train, tmp_path):
    (tmp_path / "outputs").write_text("a file where the folder should be")
    done = node_train()
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "outputs" in line


def test_a_folder_that_holds_a_run_is_not_written_over(node_train, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"step": 1}\n')
    done = node_train("hydra.run.dir=run")
    assert done.returncode == 2
    assert "metrics.jsonl is there, which a run would write; choose another" in done.stderr
    assert (run / "metrics.jsonl").read_text() == '{"step": 1}\n'


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("@x=1", "'@x' is not the name of a setting"),
        ("a@b=1", "'a@b' is not the name"),
        ("-m seed=range(1,2,0)", "a STEP that is not 0"),
        ("-m seed=range(0,inf)", "finite numbers"),
        ("-m seed=range(0,1,1e-9)", "more than 10000 runs"),
        ("-m seed=range(200) tolerance.rtol=range(200)", "more than 10000 runs"),
        ("-m seed=range(0)", "this range has no values"),
        ("-m seed=0,1 seed=2,3", "seed is given twice"),
        ("-m seed=0,1 seed=5", "seed is given twice"),
        ("-m hydra.run.dir=a,b", "give one"),
        ("-m hydra.sweep.subdir=a,b seed=0,1", "give one"),
        ("trainer.x=${fresh_folder:x}", "the name of a setting"),
        ("data.root=${oc.env:HOME}", "the name of a setting"),
        ("hydra.run.dir=", "the path of a folder"),
        ("hydra.run.dir=null", "the path of a folder"),
        ("-m seed=0,1 hydra.sweep.dir=", "the path of a folder"),
        ("-m seed=0,1 hydra.sweep.subdir=", "a folder of its own"),
        ("-m seed=0,1 hydra.sweep.subdir=x", "a folder of its own"),
        ("-m seed=0,1 hydra.sweep.subdir=../${hydra.job.num}", "a folder of its own"),
        ("hydra.verbose=[1]", "the name of a logger"),
        ("hydra.verbose={a:1}", "the name of a logger"),
        ("-m seed=0,1 hydra.launcher.n_jobs=0 hydra/launcher=joblib", "or -1"),
        ("-sc", "-sc install=bash"),
        ("-sc install=nope", "one of bash, fish, zsh"),
        ("task=cnf-2d data.test=99999999999999999999", "<= 1000000000"),
        ("trainer.device=cuda:99999999999999999999", "cuda:N"),
        ("optimizer.lr=${..}", "the name of a setting"),
        ("optimizer.lr=${nowhere}", "nowhere"),
        ("optimizer.lr=${optimizer.lr}", "optimizer.lr"),
        ("~seed", "no setting can be taken away"),
        ("data.id=a=b", "needs quotes"),
    ],
)
def test_what_a_fuzz_found_is_told(tmp_path, monkeypatch, capsys, words, fragment):
    monkeypatch.chdir(tmp_path)
    assert node_train_here(words.split(" ")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("node-train: ")
    assert fragment in line
    assert not list(tmp_path.iterdir())


def test_a_working_folder_that_hydra_cannot_name_is_told(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "a${y}"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert node_train_here(["seed=1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Use a folder with another name" in line
    assert not list(folder.iterdir())
