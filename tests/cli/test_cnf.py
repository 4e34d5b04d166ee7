"""Whole runs of the tasks that learn densities, and what is done with them afterwards."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from runs import numbers
from sklearn.datasets import load_wine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TINY = (
    "task=cnf-2d",
    "data.batch_size=64",
    "data.batches=4",
    "data.validation=200",
    "data.test=200",
    "trainer.max_epochs=2",
    "trainer.log_every=2",
    "trainer.threads=1",
    "trainer.figures=false",
    "hydra.run.dir=run",
)


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.slow
def test_a_run_leaves_likelihoods_figures_and_an_animation(node_train, tmp_path):
    done = node_train(*TINY, "trainer.figures=true", "evaluation.tolerance=1e-6")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert sum(line.startswith("circles test NLL") for line in said) == 1
    assert max(len(line) for line in said[:-2]) <= 100  # the folder's name is as long as it is
    ending = ["starting", "testing", "examining the density", "drawing the animation"]
    assert [line[:-4] for line in said if line.endswith(" ...")] == ending
    final = summary(tmp_path / "run")["final"]
    for name in ("nll", "loss", "bits_per_dim", "kl"):
        assert final[f"{name}/test"] == pytest.approx(final[f"{name}/test_as_trained"], abs=1e-3)
    assert final["nfe/forward_test"] > final["nfe/forward_test_as_trained"]
    assert final["density_integral/test"] == pytest.approx(1, abs=0.01)
    assert final["inversion_error/test"] < 1e-4
    figures = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert figures == {
        "density.png",
        "paths.png",
        "nll_per_epoch.png",
        "nfe_per_epoch.png",
        "density_over_time.gif",
    }
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    assert {"density", "paths", "density_over_time"} <= set(tags["images"])
    assert {"nll/train", "kl/val", "inversion_error/test"} <= set(tags["scalars"])
    (image,) = events.Images("density_over_time")
    assert image.encoded_image_string[:6] == b"GIF89a"
    gif = Image.open(tmp_path / "run" / "figures" / "density_over_time.gif")
    assert gif.size == (image.width, image.height)


@pytest.mark.slow
def test_noise_and_moving_statistics_resume_to_the_same_numbers(node_train, tmp_path):
    words = (
        *TINY[:-1],
        "model=concat-squash",
        "model.hidden=[8,8]",
        "model.flows=2",
        "model.batch_norm=true",
        "model.spectral_norm=true",
        "model.learn_time=true",
        "trace=hutchinson",
        "regularization=rnode",
        "adjoint=checkpointed",
        "schedule=constant",
    )
    whole = node_train(*words, "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    half = node_train(*words, "hydra.run.dir=half", "trainer.max_steps=6")
    assert half.returncode == 0, half.stderr
    resumed = node_train("trainer.resume=half", "trainer.max_steps=null")
    assert resumed.returncode == 0, resumed.stderr
    last = [
        torch.load(tmp_path / name / "checkpoints" / "last.pt", weights_only=True)["model"]
        for name in ("whole", "half")
    ]
    assert last[0].keys() == last[1].keys()
    for name, value in last[0].items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, last[1][name]), name
    for tag in ("nll/test", "kl/test"):
        assert summary(tmp_path / "whole")["final"][tag] == summary(tmp_path / "half")["final"][tag]
    assert {"kinetic_energy/train", "jacobian_norm/train"} <= set(numbers(tmp_path / "whole")[0])


@pytest.mark.slow
def test_noise_in_the_evaluation_does_not_touch_the_training(node_train, tmp_path):
    words = (*TINY[:-2], "trace=hutchinson", "trace.evaluation=hutchinson")
    for name, figures in (("plain", "false"), ("drawn", "true")):
        done = node_train(*words, f"trainer.figures={figures}", f"hydra.run.dir={name}")
        assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / "plain") == numbers(tmp_path / "drawn")


@pytest.mark.slow
def test_a_table_that_has_changed_is_not_resumed_and_one_that_was_moved_is(
    node_train, wine, tmp_path
):
    words = (*TABLE[:3], *TABLE[5:], "trainer.max_epochs=1")
    assert node_train(*words).returncode == 0
    wine.rename(tmp_path / "moved.csv")
    moved = node_train("trainer.resume=run", "data.path=moved.csv", "trainer.max_epochs=2")
    assert moved.returncode == 0, moved.stderr
    with (tmp_path / "moved.csv").open("a") as file:
        file.write(",".join(["1"] * 13) + "\n")
    changed = node_train("trainer.resume=run", "data.path=moved.csv", "trainer.max_epochs=3")
    assert changed.returncode == 1
    assert "have changed since" in changed.stderr


@pytest.mark.slow
def test_points_of_a_picture(node_train, tmp_path):
    shade = np.zeros((20, 30), dtype=np.uint8)
    shade[5:15, 5:15] = 255
    Image.fromarray(shade).save(tmp_path / "picture.png")
    done = node_train(*TINY, "data=image", "data.path=picture.png")
    assert done.returncode == 0, done.stderr
    assert "kl/test" in summary(tmp_path / "run")["final"]


@pytest.fixture
def wine(tmp_path):
    """A table of 178 wines and 13 measurements, with its header."""
    loaded = load_wine()
    path = tmp_path / "wine.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(loaded.feature_names)
        writer.writerows(loaded.data.tolist())
    return path


TABLE = (
    "task=cnf-tabular",
    "data.path=wine.csv",
    "data.batch_size=32",
    "trainer.max_epochs=40",
    "trainer.patience=null",
    "trainer.threads=1",
    "trainer.figures=false",
    "model.hidden=[32,32]",
    "hydra.run.dir=run",
)


@pytest.mark.slow
def test_a_table_is_learned_better_than_by_independent_gaussians(
    node_train, node_flow, wine, tmp_path
):
    """In standardised units, independent Gaussians have 13 / 2 log(2 pi e) = 18.4 nats."""
    done = node_train(*TABLE)
    assert done.returncode == 0, done.stderr
    assert "wine.csv test NLL" in done.stdout
    final = summary(tmp_path / "run")["final"]
    assert final["loss/test"] < 17.4
    log_scale = np.log(load_wine().data.std(axis=0)).sum()
    assert final["nll/test"] - final["loss/test"] == pytest.approx(log_scale, abs=0.5)
    assert np.isfinite(final["nll_of_gaussian/test"])

    drawn = node_flow("sample", "run", "-n", "500", "-o", "drawn.csv")
    assert drawn.returncode == 0, drawn.stderr
    header, *rows = (tmp_path / "drawn.csv").read_text().splitlines()
    assert header == ",".join(load_wine().feature_names)
    samples = np.array([[float(cell) for cell in row.split(",")] for row in rows])
    truth = load_wine().data
    # In the units of the file: the centres agree within half a standard deviation.
    assert samples.shape == (500, 13)
    assert bool((abs(np.median(samples, 0) - truth.mean(0)) < 0.5 * truth.std(0)).all())

    scored = node_flow("log-density", "run", "wine.csv", "-o", "scores.npy")
    assert scored.returncode == 0, scored.stderr
    scores = np.load(tmp_path / "scores.npy")
    assert scores.shape == (178,)
    assert -scores.mean() == pytest.approx(final["nll/test"], abs=4)
    assert f"NLL {-scores.astype(np.float64).mean():.4f} nats" in scored.stdout


@pytest.mark.slow
def test_samples_and_log_densities_of_a_run(node_train, node_flow, tmp_path):
    assert node_train(*TINY).returncode == 0
    for name in ("a.npy", "b.npy", "c.csv"):
        assert node_flow("sample", "run", "-n", "300", "-o", name).returncode == 0
    a, b = np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy")
    c = np.loadtxt(tmp_path / "c.csv", delimiter=",", skiprows=1)
    assert a.shape == (300, 2)
    assert np.array_equal(a, b)
    np.testing.assert_allclose(a, c, rtol=1e-11)
    node_flow("sample", "run", "-n", "300", "-o", "d.npy", "--seed", "1")
    assert not np.array_equal(a, np.load(tmp_path / "d.npy"))
    found = []
    for points, scores in (("a.npy", "s.npy"), ("c.csv", "s.csv")):
        done = node_flow("log-density", "run", points, "-o", scores, "--tolerance", "1e-6")
        assert done.returncode == 0, done.stderr
        path = tmp_path / scores
        read = np.load(path) if path.suffix == ".npy" else np.loadtxt(path, skiprows=1)
        found.append(read)
    assert found[0].shape == (300,)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


@pytest.mark.slow
def test_node_flow_says_what_is_wrong(node_train, node_flow, wine, tmp_path):
    assert node_train(*TINY).returncode == 0
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "three.npy", np.zeros((2, 3)))
    (tmp_path / "named.csv").write_text("a,b\n1,2\n")
    for words, code, fragment in [
        ("sample run -n 0 -o a.npy", 2, "0 must be an integer >= 1"),
        ("sample run -n 5 -o a.txt", 2, "a.txt must end in .csv or .npy"),
        ("sample run -n 5 -o nowhere/a.npy", 2, "nowhere"),
        ("sample empty -n 5 -o a.npy", 1, "there is no checkpoint"),
        ("log-density run none.csv -o a.npy", 1, "there is no such file"),
        ("log-density run three.npy -o a.npy", 1, "3 columns; the run's data have 2"),
        ("log-density run named.csv -o a.npy", 1, "the columns a, b; the run's data have x1, x2"),
        ("log-density run named.csv -o a.npy --tolerance -1", 2, "finite number > 0"),
        ("smaple run -n 5 -o a.npy", 2, "invalid choice"),
    ]:
        done = node_flow(*words.split(" "))
        assert done.returncode == code, (words, done.stderr)
        (line,) = done.stderr.splitlines()
        assert line.startswith("node-flow: ")
        assert fragment in line, line
    assert not list(tmp_path.glob("a.*"))


@pytest.mark.slow
def test_a_run_without_a_density_is_refused(node_train, node_flow):
    done = node_train(
        "model.channels=4", "trainer.max_steps=1", "trainer.figures=false", "hydra.run.dir=run"
    )
    assert done.returncode == 0, done.stderr
    done = node_flow("sample", "run", "-n", "5", "-o", "a.npy")
    assert done.returncode == 1
    assert "task=mnist-odenet, whose model has no density" in done.stderr


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ("task=cnf-2d data=mnist-mini", ["data=mnist-mini is for task=mnist-odenet", "circles"]),
        ("data=circles", ["data=circles is for task=cnf-2d"]),
        ("task=cnf-2d model=odenet", ["model=odenet is for task=mnist-odenet"]),
        ("task=cnf-2d model=concat", ["trace=exact or trace=hutchinson"]),
        ("task=cnf-2d trace=none", ["a flow needs the trace"]),
        ("trace=exact", ["this model has no trace"]),
        ("regularization=rnode", ["kinetic_energy=0.01", "this model is no flow"]),
        ("task=cnf-2d trainer.precision=bf16", ["a density needs single precision"]),
        ("task=cnf-2d data=image", ["give data.path=FILE"]),
        ("task=cnf-2d data=image data.path=none.png", ["none.png", "no such file"]),
        ("task=cnf-tabular", ["give data.path=FILE"]),
        ("task=cnf-tabular data.path=none.csv", ["none.csv", "no such file"]),
        ("task=cnf-2d data.noise=-1", ["data.noise=-1", "a finite number >= 0"]),
        ("task=cnf-2d data=8-gaussians data.noise=0", ["must be > 0"]),
        ("task=cnf-2d model.base_covariance=-1", ["a number > 0"]),
        ("task=cnf-2d model.base_covariance=foo", ["base_covariance=foo", "a number > 0"]),
        ("task=cnf-2d model.base_covariance=null", ["base_covariance=null", "a number > 0"]),
        ("task.name=cnf-2d", ["model=odenet is for task=mnist-odenet"]),
        ("task.models=[resnet] model=hypernetwork", ["hypernetwork is for task=cnf-2d"]),
        (
            "solver=rk4 evaluation.tolerance=1e-6",
            ["rk4 takes fixed steps", "evaluation.solver=dopri5"],
        ),
        ("task=cnf-2d model.base_covariance=[[1,2],[2,1]]", ["positive definite"]),
        ("task=cnf-2d model.base_covariance=[1,1,1]", ["3 dimensions, and the data have 2"]),
        ("task=cnf-2d data=gaussian-mixture data.weights=[1]", ["1 pairs [x,y]"]),
        ("evaluation.solver=dopri55", ["did you mean dopri5?"]),
        ("evaluation.solver=rk4", ["evaluation.step_size (for example 0.1)"]),
        ("evaluation.step_size=0.1", ["dopri5 chooses its own steps"]),
        ("evaluation.tolerance=1e-5 evaluation.rtol=1e-3", ["the one or the others"]),
        ("model=resnet evaluation.tolerance=1e-5", ["this model solves no ODE"]),
    ],
)
def test_one_sentence(node_train, tmp_path, words, fragments):
    done = node_train(*words.split(" "))
    assert done.returncode != 0
    line, *others = done.stderr.splitlines()
    for fragment in fragments:
        assert fragment in line
    assert not others or words == "task.name=cnf-2d"  # a model and data that do not fit
