"""Whole runs on time series."""

import json
import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TINY = (
    "task=latent-spirals",
    "trainer.max_steps=4",
    "trainer.log_every=2",
    "trainer.threads=1",
    "trainer.figures=false",
    "hydra.run.dir=run",
)
FEW = ("data.series=20", "data.validation=8", "data.test=8", "data.batch_size=10")


def final(folder):
    return json.loads((folder / "summary.json").read_text())["final"]


@pytest.mark.slow
def test_a_run_on_irregular_spirals(node_train, tmp_path):
    done = node_train(*TINY, *FEW, "data.points=30", "trainer.figures=true")
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    for name in ("loss", "iwae", "kl_from_prior", "rmse_observed", "mse_unseen", "rmse_forward",
                 "rmse_backward"):  # fmt: skip
        assert math.isfinite(values[f"{name}/test"]), name
    assert values["iwae/test"] >= -values["loss/test"]
    assert values["nfe_encoder/train"] == 0
    assert values["nfe_decoder/train"] > 0
    names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert names == {
        "reconstructions", "latent_trajectories", "latent_walk", "loss_per_epoch",
        "error_per_epoch",
    }  # fmt: skip
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0})
    events.Reload()
    assert names <= set(events.Tags()["images"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "model.encoder=gru model.samples=3 model.learn_noise=true",
        "model.encoder=ode-rnn data.points=10 solver=euler solver.step_size=0.5",
        "model.poisson=true adjoint=full data.points=20",
        "adjoint=checkpointed data=periodic data.mode=extrapolation",
        "model=rnn-vae data=periodic",
        "model=rnn data.points=20",
        "model=rnn-decay data.points=20",
        "model=ode-rnn data.points=8 solver=rk4 solver.num_steps=1",
    ],
)
def test_the_variants_train(node_train, tmp_path, words):
    done = node_train(*TINY, *FEW, *words.split(" "))
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    assert math.isfinite(values["loss/test"])
    assert ("rmse_backward/test" in values) == (
        "periodic" not in words and not words.startswith(("model=rnn ", "model=rnn-d", "model=ode"))
    )


@pytest.mark.slow
def test_gradients_of_the_elbo_are_checked_with_the_same_noise(node_train, tmp_path):
    done = node_train(*TINY, *FEW, "data.points=20", "adjoint.check_every=2", "adjoint=full")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    errors = [line["gradient/relative_error"] for line in lines if "lr" in line]
    assert errors
    assert max(errors) < 0.01


@pytest.mark.slow
def test_series_of_the_users_own(node_train, tmp_path):
    rows = ["patient,hour,pulse,weight"]
    for patient in range(12):
        for hour in range(6):
            weight = "" if hour % 3 else f"{70 + patient}"
            rows.append(f"p{patient},{hour + 0.1 * patient},{60 + 10 * math.sin(hour)},{weight}")
    (tmp_path / "ward.csv").write_text("\n".join(rows) + "\n")
    words = (
        "data=csv",
        "data.path=ward.csv",
        "data.id=patient",
        "data.time=hour",
        "data.batch_size=4",
    )
    done = node_train(*TINY, *words, "trainer.figures=true")
    assert done.returncode == 0, done.stderr
    assert math.isfinite(final(tmp_path / "run")["mse_unseen/test"])
    assert (tmp_path / "run" / "figures" / "reconstructions.png").exists()


@pytest.mark.slow
def test_a_run_in_two_parts_gives_the_same_numbers(node_train, tmp_path):
    words = (*TINY[:-1], *FEW, "schedule=constant", "model.kl_warmup=0", "trainer.max_epochs=3")
    whole = node_train(*words, "trainer.max_steps=null", "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    node_train(*words, "trainer.max_steps=3", "hydra.run.dir=half")
    resumed = node_train("trainer.resume=half", "trainer.max_steps=null")
    assert resumed.returncode == 0, resumed.stderr
    for tag in ("loss/test", "iwae/test", "rmse_forward/test"):
        assert final(tmp_path / "whole")[tag] == final(tmp_path / "half")[tag]


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("task=latent-spirals model=odenet", "model=odenet is for task=mnist-odenet"),
        ("task=latent-spirals data.points=1", "an integer from 2 to 100"),
        ("task=latent-spirals data.batch_size=2000", "at most data.series=1000"),
        ("task=latent-spirals data=csv", "give data.path=FILE"),
        ("task=latent-spirals data=csv data.path=none.csv", "none.csv"),
        ("task=latent-spirals model=rnn evaluation.tolerance=1e-5", "this model solves no ODE"),
        ("task=latent-spirals model.kl_warmup=1", "a number from 0 to below 1"),
        ("task=latent-spirals study=figure-3", "models with one interval"),
        ("task=latent-spirals model=latent-ode trace=exact", "this model has no trace"),
    ],
)
def test_one_sentence(node_train, words, fragment):
    done = node_train(*words.split(" "))
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert fragment in line
