"""Times in the user's units: the same run, whatever they are."""

import json
import math
import re

import pytest
import torch

from node_cli.solving.failures import StepsError
from node_cli.solving.step_control import StepControl
from node_cli.solving.told_time import Clock, told_by

RUN = (
    "data=csv", "data.path=x.csv", "data.batch_size=8", "trainer.max_steps=6", "trainer.threads=1",
    "trainer.figures=false", "hydra.run.dir=run", "data.time_scale=1",
)  # fmt: skip


@pytest.fixture
def rows(tmp_path):
    """Writes series whose times are multiplied, and whose second column is a velocity."""

    def rows(factor=1.0, points=12, start=0.0):
        lines = ["id,time,x,v"]
        for i in range(12):
            for k in range(points):
                t = 0.25 * k + 0.02 * (i % 3)
                x, v = math.cos(t + i), -math.sin(t + i) / factor
                lines.append(f"{i},{start * i + factor * t:.17g},{x:.9f},{v:.12g}")
        (tmp_path / "x.csv").write_text("\n".join(lines))

    return rows


def final(tmp_path):
    return json.loads((tmp_path / "run" / "summary.json").read_text())["final"]


@pytest.mark.parametrize(
    "words",
    [
        "task=latent-series model.poisson=true",
        "task=latent-series solver=rk4 solver.step_size={} model.encoder=ode-rnn",
        "task=latent-series model=rnn",
        "task=dynamics model=second-order model.velocity=observed solver=rk4 solver.step_size={}",
        "task=dynamics model=hamiltonian",
    ],
)
def test_another_unit_changes_nothing(node_train, tmp_path, rows, words):
    found = []
    for factor in (1.0, 64.0):
        rows(factor)
        scale = f"data.time_scale={factor:g}"
        done = node_train(*words.format(0.125 * factor).split(), *RUN, scale)
        assert done.returncode == 0, done.stderr
        assert ("divided by 64" in done.stdout) == (factor == 64)
        found.append(final(tmp_path))
        (tmp_path / "run").rename(tmp_path / f"run{factor:g}")
    one, other = ({k: v for k, v in run.items() if k.startswith("loss")} for run in found)
    if "poisson" in words:  # a density of times in another unit
        points = 9  # observed of twelve
        other = {k: v - points * math.log(64) for k, v in other.items()}
    if "hamiltonian" in words:  # momenta have no unit of their own that follows
        assert math.isfinite(other["loss/test"])
    else:
        assert other == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("model", ["latent-ode", "rnn-vae", "rnn", "rnn-decay", "ode-rnn"])
def test_one_observed_point_is_enough(node_train, rows, model):
    rows(points=4)
    done = node_train("task=latent-series", *RUN, f"model={model}", "data.hidden=0.75")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("encoder", ["rnn", "gru", "ode-rnn"])
def test_one_observed_point_is_enough_for_each_encoder(node_train, rows, encoder):
    rows(points=4)
    done = node_train("task=latent-series", *RUN, f"model.encoder={encoder}", "data.hidden=0.75")
    assert done.returncode == 0, done.stderr


def test_series_of_one_point_are_told(node_train, rows):
    rows(points=1)
    done = node_train("task=latent-series", *RUN)
    assert done.returncode == 1
    assert "each training series has one point" in done.stderr


def test_seconds_since_1970_stay_apart(node_train, tmp_path, rows):
    rows(start=864000.0)
    text = (tmp_path / "x.csv").read_text().splitlines()
    later = [
        ",".join([i, f"{1.6e9 + float(t):.3f}", x, v])
        for i, t, x, v in (line.split(",") for line in text[1:])
    ]
    (tmp_path / "x.csv").write_text("\n".join([text[0], *later]))
    done = node_train("task=latent-series", *RUN, "data.time_scale=null")
    assert done.returncode == 0, done.stderr
    assert "counts from the start of each series" in done.stdout
    refused = node_train("task=latent-series", *RUN, "data.origin=file", "hydra.run.dir=other")
    assert refused.returncode == 1
    assert "become one in single precision" in refused.stderr


@pytest.mark.parametrize(
    ("settings", "where"),
    [("data.origin=file", ""), ("data.origin=series", " after the start of a series")],
)
def test_a_solver_that_stops_tells_the_time_of_the_data(node_train, rows, settings, where):
    rows(64.0)
    unit = "data.time_scale=64"
    done = node_train("task=latent-series", *RUN[:-1], settings, unit, "solver.max_steps=1")
    assert done.returncode == 1
    text = done.stderr.replace("\n", " ")
    found = re.search(rf"dopri5 stopped at t = (\S+){where} with a step of (\S+): it took", text)
    assert found, text
    # What is 0.1 or more of 3 for the model is some of 192 in the file.
    assert all(5.0 < float(number) < 200.0 for number in found.groups())


def test_the_smallest_step_is_told_as_it_was_given():
    control = StepControl("dopri5", 1e-3, 1e-4, torch.linalg.vector_norm, min_step=7.0 / 64)
    with told_by(Clock(start=1.6e9, scale=64.0)), pytest.raises(StepsError) as error:
        control.check_attempt(0.5, 0.1, 0, 3.0, torch.float32)
    assert "t = 1600000032 with a step of 6.4: " in str(error.value)
    assert "below solver.min_step=7." in str(error.value)
