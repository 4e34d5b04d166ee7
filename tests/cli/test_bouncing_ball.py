"""Whole runs on the bouncing ball."""

import json

import pytest

TINY = ("task=bouncing-ball", "trainer.threads=1", "trainer.figures=false", "hydra.run.dir=run")


def final(folder):
    return json.loads((folder / "summary.json").read_text())["final"]


@pytest.mark.slow
def test_gravity_and_restitution_are_learned(node_train, tmp_path):
    done = node_train(
        *TINY, "trainer.max_epochs=12", "trainer.figures=true", "trainer.figures_every=12",
        "model.learn_start=false", "model.opening=0.3", "data.noise=0.05", "model.gravity=9",
        "model.restitution=0.7",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    assert values["gravity_error/test"] < 0.01
    assert values["restitution_error/test"] < 0.01
    assert values["rmse_beyond/test"] < 0.1
    assert values["impacts_missed/test"] == 0
    assert values["nfe/forward"] > 0
    names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert names == {"heights", "learned_per_epoch", "loss_per_epoch", "nfe_per_epoch"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "adjoint=full model.learn_ground=true",
        "adjoint=checkpointed model.learn_start=false",
        "solver=rk4 solver.num_steps=40 evaluation.solver=dopri8",
        "solver=adams adjoint.check_every=2 trainer.log_every=2",
        "study=gradient-fidelity study.tolerances=[1e-4] study.repeats=1 trainer.max_steps=1",
    ],
)
def test_the_variants_train(node_train, tmp_path, words):
    done = node_train(*TINY, "trainer.max_steps=2", *words.split(" "))
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    assert values["loss/test"] < 10
    if "check_every" in words:
        lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
        assert max(line.get("gradient/relative_error", 0.0) for line in lines) < 1e-3


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("data.gravity=-9.81", "must be a finite number > 0"),
        ("data.restitution=1.2", "must be a number above 0 and up to 1"),
        ("model.restitution=1", "must be a number between 0 and 1"),
        ("data.height=0", "must be above data.ground=0, where the ball bounces"),
        ("data.window=1", "must be after the first impact, which is at 1.234 s"),
        ("data.horizon=4", "must be after data.window=5"),
        ("data.horizon=100", "must be before impact 100, which is at 9.474 s"),
        ("data.velocity=1e200", "must be after the first impact"),
        ("data.batch_size=300", "must be at most data.points=200"),
        ("solver=scipy-RK45 adjoint=full", "bounces are events, which only our own solvers"),
        ("evaluation.solver=scipy-LSODA", "use one such as evaluation.solver=dopri5"),
        ("backend=torchdiffeq", "use backend=native"),
        ("evaluation.round_trip=true", "use evaluation.round_trip=false"),
        ("study=figure-3", "models with one interval"),
    ],
)
def test_one_sentence(node_train, words, fragment):
    done = node_train("task=bouncing-ball", *words.split(" "))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert fragment in line
