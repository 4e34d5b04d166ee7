"""Whole runs of neural SDEs that are trained against a discriminator."""

import json
import math

import pytest

pytest.importorskip("torchsde")

TINY = (
    "task=sde-gan", "trainer.threads=1", "trainer.figures=false", "trainer.log_every=1",
    "model.hidden=5", "model.state=4", "data.points=5", "data.series=24", "data.validation=9",
    "data.test=8", "data.batch_size=8", "data.eval_batch_size=5",
)  # fmt: skip


def final(folder):
    return json.loads((folder / "summary.json").read_text())["final"]


def losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [line["loss/train"] for line in lines if "loss/train" in line]


def test_a_run_and_its_resumption_to_the_bit(node_train, tmp_path):
    words = (*TINY, "schedule=constant", "trainer.max_epochs=2")
    done = node_train(*words, "hydra.run.dir=whole")
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "whole")
    for name in ("signature_distance", "marginal_distance", "mean_error", "deviation_error",
                 "correlation_error", "increment_error"):  # fmt: skip
        assert math.isfinite(values[f"{name}/test"]), name
        assert math.isfinite(values[f"{name}_of_data/test"]), name
    assert values["nfe/drift"] == values["nfe/diffusion"] == 15
    node_train(*words, "trainer.max_steps=4", "hydra.run.dir=half")
    resumed = node_train("trainer.resume=half", "trainer.max_steps=null")
    assert resumed.returncode == 0, resumed.stderr
    assert len(losses(tmp_path / "whole")) == 6
    assert losses(tmp_path / "half") == losses(tmp_path / "whole")
    again = final(tmp_path / "half")
    assert again["signature_distance/test"] == values["signature_distance/test"]


@pytest.mark.slow
def test_it_learns_how_the_mean_moves(node_train, tmp_path):
    """Short paths, a few hundred steps: much nearer to the data than with the first weights."""
    words = (
        "data.points=8", "data.mu=0.3", "data.series=2048", "data.validation=500",
        "data.test=500", "data.batch_size=64", "data.eval_batch_size=500", "model.hidden=16",
        "model.state=8", "trainer.figures=true", "trainer.log_every=100", "optimizer.lr=0.003",
    )  # fmt: skip
    errors = []
    for steps in (1, 320):
        limits = (f"trainer.max_steps={steps}", "trainer.max_epochs=10")
        done = node_train(*TINY, *words, *limits, f"hydra.run.dir=run{steps}")
        assert done.returncode == 0, done.stderr
        errors.append(final(tmp_path / f"run{steps}")["mean_error/test"])
    assert errors[1] < 0.4 * errors[0]
    assert (tmp_path / "run320" / "figures" / "paths.png").exists()


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("adjoint=full", "use adjoint=direct"),
        ("solver.kind=adaptive", "use solver.kind=fixed"),
        ("solver=dopri5", "dopri5 solves ODEs, and this model is an SDE"),
        ("solver=ito-euler", "use one such as solver=stratonovich-"),
        ("solver=stratonovich-milstein", "this model's is general"),
        ("model.penalty=0", "must be a finite number > 0"),
        ("model.average=1", "a number from 0 to below 1"),
        ("data.points=2", "an integer from 3 to"),
        ("data.batch_size=9000", "at most data.series=8192"),
        ("data=csv", "task=sde-gan use data=time-dependent-ou"),
    ],
)
def test_one_sentence(node_train, tmp_path, words, fragment):
    done = node_train("task=sde-gan", "hydra.run.dir=run", *words.split(" "))
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert fragment in line
    assert not (tmp_path / "run").exists()
