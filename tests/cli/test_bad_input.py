"""Mistakes are answered in one sentence, with an exit code, and leave nothing behind."""

import pytest
import torch

from node_cli.data.idx import write_idx


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ("solver=dopri55", ["solver=dopri55: there is no such solver", "did you mean dopri5?"]),
        ("tolerance.rtol=nan", ["tolerance.rtol=nan", "a finite number >= 0"]),
        ("tolerance.rtol=0 tolerance.atol=0", ["at least one of them must be > 0"]),
        ("optimizer.lr=inf", ["optimizer.lr=inf", "a finite number > 0"]),
        ("seed=1.5", ["seed=1.5", "an integer from 0"]),
        ("task=", ["task='': there is no such task", "Known: cnf-2d", "mnist-odenet"]),
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
    assert "already holds a run" in done.stderr
    assert (run / "metrics.jsonl").read_text() == '{"step": 1}\n'
