"""Whole runs on concentric spheres, and the check that a flow is solved, for every task."""

import json
import math

import pytest
from runs import lines, numbers, same_weights

TINY = (
    "task=concentric",
    "trainer.max_steps=4",
    "trainer.log_every=2",
    "trainer.figures=false",
    "data.points=200",
    "data.validation=40",
    "data.test=50",
    "hydra.run.dir=run",
)


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "",
        "model=augmented",
        "model=augmented data.dimensions=4 model.augment_dim=3 adjoint=full",
        "model=second-order data.dimensions=1",
        "model=mlp-resnet model.blocks=2",
    ],
)
def test_the_models_train_and_draw(node_train, tmp_path, words):
    done = node_train(*TINY, *words.split(), "trainer.figures=true")
    assert done.returncode == 0, done.stderr
    final = summary(tmp_path / "run")["final"]
    assert math.isfinite(final["loss/test"])
    assert 0 <= final["accuracy/test"] <= 1
    solves = "mlp-resnet" not in words
    assert ("solver/round_trip_error_test" in final) == solves
    drawn = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    curves = {"loss_per_epoch", "accuracy_per_epoch"} | ({"nfe_per_epoch"} if solves else set())
    assert drawn == {"flow"} | curves


def test_the_check_changes_nothing_else(node_train, tmp_path):
    for name, check in (("with", "auto"), ("without", "false")):
        done = node_train(*TINY[:-1], f"evaluation.round_trip={check}", f"hydra.run.dir={name}")
        assert done.returncode == 0, done.stderr
    one, other = tmp_path / "with", tmp_path / "without"
    assert same_weights(one, other)
    checked = [
        {tag: value for tag, value in line.items() if "round_trip" not in tag}
        for line in numbers(one)
    ]
    assert checked == numbers(other)
    assert sum("solver/round_trip_error" in line for line in lines(one)) == 2  # two epochs
    assert summary(one)["warnings"] == []
    assert summary(one)["nfe"] == summary(other)["nfe"]


def test_a_flow_that_is_not_solved_is_told(node_train, tmp_path):
    words = ("data.dimensions=1", "solver=euler", "solver.num_steps=1")
    done = node_train(*TINY, *words)
    (sentence,) = summary(tmp_path / "run")["warnings"]
    assert "the solver's error and no flow" in sentence
    assert sentence in done.stdout.splitlines()
    assert sentence in (tmp_path / "run" / "node-train.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "model.channels=4 data.batch_size=16 solver=euler solver.step_size=0.5",
        "model=sonode model.channels=4 data.batch_size=16 solver=rk4 solver.num_steps=1",
        "task=cnf-2d data.validation=50 data.test=60 model.T=0.1 trace=closed-form",
        "task=latent-spirals data.series=20 data.validation=8 data.test=8 data.batch_size=10"
        " data.points=10 model.encoder=ode-rnn model.poisson=true solver=euler solver.num_steps=1",
        "task=latent-spirals data.series=20 data.validation=8 data.test=8 data.batch_size=10"
        " data.points=10 model=ode-rnn solver=rk4 solver.num_steps=1",
    ],
)
def test_every_task_has_the_check(node_train, tmp_path, words):
    limits = ("trainer.max_steps=1", "trainer.figures=false", "hydra.run.dir=run")
    done = node_train(*words.split(), *limits, "evaluation.round_trip=true")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    errors = [line[tag] for line in lines(run) for tag in line if "round_trip" in tag]
    assert len(errors) == 2  # of validation and test
    assert all(0 <= error < 10 for error in errors)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "model=resnet evaluation.round_trip=true",
            "there is no way back; leave it out, or use model=odenet",
        ),
        ("task=concentric model=mlp-resnet evaluation.round_trip=true", "use model=mlp-field"),
        ("evaluation.round_trip=maybe", "must be true or false or auto"),
        ("task=concentric model=second-order model.velocity=observed", "model.velocity=learned"),
        ("task=concentric data.inner=1.2", "the ball must lie inside of the shell"),
        ("task=concentric model=augmented model.augment_dim=0", "an integer >= 1"),
        ("task=concentric model.augment_dim=2", "it belongs to model=augmented."),
        ("model=resnet model.augment_dim=2", "it belongs to model=odenet and model=rk-net."),
        ("task=cnf-2d model=augmented", "a flow needs a density on the space of the data"),
        ("task=cnf-2d model.augment_dim=1", "a flow needs a density on the space of the data"),
        ("task=cnf-2d +model.augment_dim=1", "a flow needs a density on the space of the data"),
        ("task=cnf-tabular data.path=x.csv model.augment_dim=1", "a flow needs a density"),
        ("experiment=ffjord-toy model.augment_dim=1", "model.augment_dim=1: the model"),
    ],
)
def test_one_sentence(node_train, tmp_path, words, told):
    done = node_train(*words.split())
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert told in line
    assert not list(tmp_path.iterdir())
