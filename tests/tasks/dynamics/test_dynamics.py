"""Whole runs on trajectories."""

import json
import math

import pytest
import torch

from node_cli.errors import SolverError
from node_cli.tasks.dynamics.model import DynamicsModel

TINY = (
    "task=dynamics",
    "trainer.max_steps=4",
    "trainer.log_every=2",
    "trainer.threads=1",
    "trainer.figures=false",
    "hydra.run.dir=run",
)
FEW = ("data.trajectories=6", "data.validation=3", "data.test=3", "data.batch_size=6")
BASE = {"loss/test", "mse_inside/test", "mse_beyond/test"}
ENERGY = {"energy_mse/test", "energy_error/test", "energy_drift/test"}


def final(folder):
    return json.loads((folder / "run" / "summary.json").read_text())["final"]


def scores(folder):
    return {name for name in final(folder) if name.endswith("/test") and "nfe" not in name}


@pytest.mark.slow
def test_a_run_with_its_figures(node_train, tmp_path):
    done = node_train(*TINY, *FEW, "data=pendulum", "trainer.figures=true")
    assert done.returncode == 0, done.stderr
    values = final(tmp_path)
    assert all(math.isfinite(values[name]) for name in BASE | ENERGY)
    names = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert {"trajectories.png", "phase_portrait.png", "energy.png"} <= names
    assert "phase_portrait_over_time.gif" in names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("data=spiral model.time=true adjoint=full", set()),
        ("data=lotka-volterra model=augmented adjoint=checkpointed", ENERGY),
        ("data=van-der-pol model=second-order", set()),
        ("data=damped-oscillator model=second-order model.velocity=observed", set()),
        ("data=damped-oscillator model=second-order model.velocity=zero model.time=true", set()),
        ("data=mass-spring model=hamiltonian model.separable=true adjoint=seminorm", ENERGY),
        ("data=pendulum model=hamiltonian data.loss=derivative", ENERGY),
        ("data=double-pendulum data.span=2 model=lagrangian", {*ENERGY, "valid_time/test"}),
        ("data=two-body model=hamiltonian data.window=null data.points=10", ENERGY),
        ("data=lorenz data.points=20 data.span=0.4", {"valid_time/test"}),
        ("data=van-der-pol data.observed=positions data.forcing=1 model=augmented", set()),
    ],
)
def test_systems_and_models_train(node_train, tmp_path, words, extra):
    done = node_train(*TINY, *FEW, *words.split())
    assert done.returncode == 0, done.stderr
    assert BASE | extra <= scores(tmp_path)
    assert math.isfinite(final(tmp_path)["loss/test"])


@pytest.mark.slow
def test_a_hamiltonian_model_learns_a_spring(node_train, tmp_path):
    """Better than the values vary, by far, after some seconds."""
    words = ("data=mass-spring", "data.noise=0", "model=hamiltonian", "data.loss=derivative")
    done = node_train(
        *TINY, *words, "trainer.max_steps=null", "trainer.max_epochs=60", "evaluation.rtol=1e-6"
    )
    assert done.returncode == 0, done.stderr
    values = final(tmp_path)
    assert values["mse_inside/test"] < 0.01
    assert values["mse_beyond/test"] < 0.02
    assert values["energy_error/test"] < 0.05


@pytest.mark.parametrize(
    ("data", "end"),
    [
        ("data=lotka-volterra", 10.5),
        ("data=two-body", 10.5),
        ("data=double-pendulum data.span=2", 2.2),
    ],
)
def test_a_field_that_runs_away_has_infinite_errors_beyond(
    node_train, tmp_path, monkeypatch, data, end
):
    whole = DynamicsModel.forward

    def forward(self, first, start, elapsed):
        if not torch.is_grad_enabled() and float(elapsed.max()) > end:
            raise SolverError("it runs away")
        return whole(self, first, start, elapsed)

    monkeypatch.setattr(DynamicsModel, "forward", forward)
    done = node_train(*TINY, *FEW, *data.split())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    values = final(tmp_path)
    assert math.isfinite(values["mse_inside/test"])
    for name in ("mse_beyond", "energy_mse", "energy_error", "energy_drift"):
        assert values[f"{name}/test"] == math.inf, name


@pytest.mark.parametrize("dimensions", [1, 3])
def test_a_reflection_is_two_points(node_train, tmp_path, dimensions):
    words = ("data=reflection", f"data.dimensions={dimensions}", "trainer.figures=true")
    done = node_train(*TINY, *FEW, *words, "model=second-order")
    assert done.returncode == 0, done.stderr
    assert math.isfinite(final(tmp_path)["mse_inside/test"])


@pytest.mark.slow
def test_a_first_order_field_does_not_reflect_a_line(node_train, tmp_path):
    """Its trajectories would have to cross: the best that it can do is to go to 0."""
    words = ("experiment=paper/sonode", "trainer.max_epochs=20", "trainer.figures=false")
    errors = {}
    for model in ("mlp-field", "second-order"):
        run = f"hydra.run.dir={model}"
        done = node_train(*words, f"model={model}", "optimizer.lr=0.02", "trainer.threads=1", run)
        assert done.returncode == 0, done.stderr
        summary = json.loads((tmp_path / model / "summary.json").read_text())
        errors[model] = summary["final"]["mse_inside/test"]
    assert errors["mlp-field"] > 0.1
    assert errors["second-order"] < 0.01


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "data=van-der-pol data.observed=positions data.loss=derivative",
            "a velocity does not follow from a position",
        ),
        (
            "data=damped-oscillator data.observed=positions model=lagrangian",
            "positions need velocities beside them",
        ),
        ("data=damped-oscillator data.observed=velocities", "data.observed"),
        ("data=van-der-pol data.forcing=-1", "data.forcing"),
    ],
)
def test_what_an_oscillator_does_not_go_with(node_train, words, expected):
    done = node_train(*TINY, *words.split())
    assert done.returncode != 0
    assert expected in done.stderr


def rows(trajectories=8, points=12, names="id,time,q,p"):
    lines = [names]
    for number in range(trajectories):
        for k in range(points):
            t, size = 0.1 * k + 0.001 * number, 1 + 0.1 * number
            lines.append(f"s{number},{t:.4f},{size * math.cos(t):.6f},{size * math.sin(t):.6f}")
    return lines


@pytest.fixture
def csv_run(node_train, tmp_path):
    def csv_run(lines, *words):
        (tmp_path / "own.csv").write_text("\n".join(lines) + "\n")
        return node_train(*TINY, "data=csv", "data.path=own.csv", "data.batch_size=4", *words)

    return csv_run


@pytest.mark.parametrize(
    "words",
    [
        "data.mode=extrapolation data.window=5 trainer.figures=true",
        "data.mode=interpolation",
        "model=hamiltonian data.window=4",
        "model=second-order model.time=true",
    ],
)
def test_trajectories_of_the_users_own(csv_run, tmp_path, words):
    lines = rows()
    del lines[5]  # one is shorter, and its times are other ones
    done = csv_run(lines, *words.split())
    assert done.returncode == 0, done.stderr
    assert math.isfinite(final(tmp_path)["mse_inside/test"])
    if "figures" in words:
        names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
        assert {"trajectories", "phase_portrait", "phase_portrait_over_time"} <= names


def test_one_value_has_no_plane(csv_run, tmp_path):
    lines = [line.rpartition(",")[0] for line in rows()]
    done = csv_run(lines, "data.window=4", "model=second-order", "trainer.figures=true")
    assert done.returncode == 0, done.stderr
    assert "phase_portrait.png" not in {p.name for p in (tmp_path / "run" / "figures").iterdir()}


def with_cell(row, column, text):
    lines = rows()
    cells = lines[row].split(",")
    cells[column] = text
    lines[row] = ",".join(cells)
    return lines


@pytest.mark.parametrize(
    ("lines", "words", "told"),
    [
        (rows(trajectories=1), "", "it holds 1 series; at least 3 are needed"),
        (with_cell(3, 2, ""), "", "q is missing at time 0.2 of id s0"),
        (with_cell(3, 2, "nan"), "", "q is missing at time 0.2 of id s0"),
        (with_cell(3, 2, "inf"), "", "line 4: q is 'inf'; it must be a finite number"),
        (with_cell(3, 1, "nan"), "", "line 4: the time is 'nan'; it must be a finite number"),
        (with_cell(3, 1, "0.1000"), "", "line 4: the same time as in a row before it"),
        (rows(points=3), "data.window=4", "data.window=4: id s0 has 3 points"),
        (rows(), "data.window=1", "data.window=1: must be an integer >= 2"),
        (
            [line.rpartition(",")[0] for line in rows()],
            "model=hamiltonian",
            "a state is positions beside as many velocities or momenta, and these data have 1",
        ),
        (rows(), "data.validation=0.5 data.test=0.45", "these leave none for training"),
        ([*rows()[:1], *(f"{c[:-8]}1.000000" for c in rows()[1:])], "", "p is constant"),
    ],
)
def test_trajectories_that_cannot_be_used_are_told(csv_run, tmp_path, lines, words, told):
    done = csv_run(lines, *words.split())
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("data.window=300", "data.window=300: must be at most data.points=200"),
        ("data=mass-spring data.mass=-1", "data.mass=-1"),
        ("data=two-body data.masses=[1.0]", "data.masses[1] is missing"),
        ("data=two-body data.masses=[1.0,-1.0]", "must be"),
        ("model=augmented model.augment_dim=0", "model.augment_dim=0: must be an integer >= 1"),
        ("model=hamiltonian data=lorenz", "this one has 3 values; use model=mlp-field."),
        (
            "model=hamiltonian data=pendulum data.coordinates=velocities",
            "use data.coordinates=momenta, or model=lagrangian.",
        ),
        ("model=lagrangian data=pendulum", "use data.coordinates=velocities."),
        ("model=lagrangian", "data that have them, such as data=damped-oscillator."),
        ("model=second-order model.velocity=observed", "these data have no velocities"),
        ("model=augmented data.loss=derivative", "use data.loss=trajectory, or model=mlp-field."),
        ("model=second-order data.loss=derivative", "use data.loss=trajectory."),
        ("data.batch_size=5000", "must be at most 1528, the number of windows of 10 points"),
        ("data.batch_size=9 data.window=null", "must be at most 8, the number of trajectories"),
        ("data.horizon=0.5", "data.horizon=0.5: must be a number from 1 to 1000"),
        ("data.window=null data.points=2 data.horizon=1.4", "use data.horizon=2 or more, or 1"),
        ("data.points=11 data.horizon=1.04", "observation after the span is at 1.1 times"),
        ("data.points=1", "data.points=1: must be an integer >= 2"),
        ("data=reflection model=lagrangian data.dimensions=2", "use model=mlp-field or"),
        ("data=reflection model=hamiltonian data.dimensions=2", "have positions only"),
        (
            "data=reflection data.dimensions=2 model=second-order model.velocity=observed",
            "use model.velocity=learned.",
        ),
        ("data=moons", "data=moons is for task=cnf-2d. With task=dynamics use"),
    ],
)
def test_settings_that_are_not_possible_are_told(node_train, tmp_path, words, told):
    done = node_train(*TINY, *words.split())
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "run").exists()


def test_whole_series_have_no_windows(node_train, tmp_path):
    done = node_train("task=latent-series", "data=csv", "data.path=x.csv", "data.window=5")
    assert done.returncode == 2
    assert "this task trains on whole series; leave it out" in done.stderr
