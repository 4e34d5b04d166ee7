"""SDEs that are learned from their paths, and the paths of known ones."""

import json
import math

import numpy as np
import pytest
import torch

from node_cli.solving.sde import SdeSpec
from node_cli.tasks.dynamics.sde_model import SdeModel
from node_cli.tasks.dynamics.systems import system_of
from node_cli.tasks.dynamics.trajectories import make_trajectories
from node_cli.tasks.predicted_rows import mean_and_bounds

pytest.importorskip("torchsde")

TINY = (
    "task=dynamics",
    "model=sde",
    "model.hidden=[4]",
    "data.points=11",
    "data.trajectories=20",
    "data.validation=5",
    "data.test=6",
    "data.batch_size=50",
    "trainer.max_steps=8",
    "trainer.log_every=4",
    "trainer.figures=false",
    "hydra.run.dir=run",
)
PARAMETERS = {
    "ornstein-uhlenbeck": ("theta", "mean", "sigma"),
    "geometric-brownian": ("mu", "sigma"),
    "double-well": ("a", "b", "sigma"),
}


def data_of(config_of, name, *words):
    return config_of("task=dynamics", "model=sde", f"data={name}", *words).data


def final(folder):
    return json.loads((folder / "run" / "summary.json").read_text())["final"]


def lines(folder):
    return [json.loads(line) for line in (folder / "run" / "metrics.jsonl").open()]


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("calculus", ["ito", "stratonovich"])
def test_runs_on_known_sdes(node_train, tmp_path, name, calculus):
    solver = {"ito": "ito-milstein", "stratonovich": "stratonovich-reversible_heun"}[calculus]
    drawn = (name, calculus) == ("double-well", "ito")
    figures = f"trainer.figures={str(drawn).lower()}"
    words = (f"data={name}", f"model.calculus={calculus}", f"solver={solver}", figures)
    done = node_train(*TINY, *words)
    assert done.returncode == 0, done.stderr
    values = final(tmp_path)
    names = {"loss", "wasserstein", "drift_rmse", "diffusion_rmse"}
    names |= {n for parameter in PARAMETERS[name] for n in (parameter, f"{parameter}_error")}
    assert all(math.isfinite(values[f"{n}/test"]) for n in names)
    validated = [line for line in lines(tmp_path) if "loss/val" in line]
    steps = (100 if name == "geometric-brownian" else 250) + (calculus == "stratonovich")
    assert {line["nfe/drift_val"] for line in validated} == {steps}
    assert {line["nfe/diffusion_val"] for line in validated} == {steps}
    if drawn:
        names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
        assert {"drift_and_diffusion", "paths", "error_per_epoch"} <= names


def test_a_run_on_series_of_a_file(node_train, tmp_path):
    rows = ["id,time,a,b"]
    generator = np.random.default_rng(0)
    for series in range(12):
        steps = generator.normal(size=(8, 2)).cumsum(axis=0)
        rows += [f"{series},{i + 0.1 * (series % 3 * i)},{a},{b}" for i, (a, b) in enumerate(steps)]
    (tmp_path / "walks.csv").write_text("\n".join(rows))
    words = [word for word in TINY if not word.startswith("data.")]
    more = ("data=csv", "data.path=walks.csv", "data.batch_size=10", "model.noise=additive")
    done = node_train(*words, *more)
    assert done.returncode == 0, done.stderr
    assert math.isfinite(final(tmp_path)["loss/test"])


def test_a_model_that_is_an_ode_takes_the_same_data(node_train, tmp_path):
    words = [word for word in TINY if not word.startswith("model")]
    done = node_train(*words, "data=double-well", "data.window=4")
    assert done.returncode == 0, done.stderr
    assert "mse_inside/test" in final(tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("data=spiral", "these data have no noise"),
        ("data=double-well data.loss=trajectory", "it is fitted by the likelihood of increments"),
        ("data=double-well data.noise=0.1", "would be learned as diffusion; use data.noise=0."),
        ("data=csv data.path=x.csv data.window=5", "leave data.window out"),
        ("data=double-well solver=rk4", "rk4 solves ODEs, and this model is an SDE"),
        ("data=double-well data.sigma=0", "data.sigma=0: must be a finite number > 0"),
    ],
)
def test_settings_that_are_not_possible_are_told(node_train, tmp_path, words, told):
    done = node_train("task=dynamics", "model=sde", "hydra.run.dir=run", *words.split())
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_laws_of_the_paths(config_of):
    count = 8000
    few = ("data.window=2", "data.validation=1", "data.test=1")

    def ends(name, *words, points=3):
        sizes = (f"data.trajectories={count}", f"data.points={points}")
        data = data_of(config_of, name, *sizes, *few, *words)
        states = make_trajectories(data, system_of(data), 0)[0].states.double()
        return states[:, 0, 0], states[:, -1, 0]

    def check(values, mean, variance):
        assert float(values.mean()) == pytest.approx(mean, abs=4 * math.sqrt(variance / count))
        assert float(values.var()) == pytest.approx(variance, rel=4 * math.sqrt(3 / count))

    check(ends("ornstein-uhlenbeck")[1], 0.5, 0.6**2 / 2)  # it is stationary from the beginning
    first, last = ends("geometric-brownian", "data.span=1")
    check((last / first).log(), 0.5 - 0.08, 0.16)
    # Of the double well: the stationary density is proportional to exp(-2 U / sigma^2).
    _, last = ends("double-well", "data.span=10", points=51)
    line = torch.linspace(-3, 3, 2001, dtype=torch.float64)
    density = (-2 * (line**4 / 4 - line**2 / 2) / 0.49).exp()
    weights = density / density.sum()
    for power in (2, 4):
        mean = float((weights * line**power).sum())
        deviation = math.sqrt(float((weights * line ** (2 * power)).sum()) - mean**2)
        assert float((last**power).mean()) == pytest.approx(
            mean, abs=4 * deviation / math.sqrt(count) + 0.01 * mean
        )


def test_known_functions_have_their_own_parameters(config_of):
    for name in PARAMETERS:
        system = system_of(data_of(config_of, name))
        states = np.linspace(0.1, 2.0, 50)
        column = states[:, None]
        drift, diffusion = system.derivative(column)[:, 0], system.diffusion(column)[:, 0]
        assert system.fitted(states, drift, diffusion) == pytest.approx(dict(system.parameters))


def test_drifts_of_both_calculi_are_of_one_sde(config_of):
    """The likelihood sees Itô's drift: f + g g' / 2 of Stratonovich's f."""
    words = ("task=dynamics", "model=sde", "data=double-well", "solver=stratonovich-heun")
    config = config_of(*words, "model.calculus=stratonovich", "model.hidden=[8]").model
    torch.manual_seed(0)
    model = SdeModel(config, 2, None).double()
    states = torch.randn(5, 2, dtype=torch.float64)
    t = torch.zeros((), dtype=torch.float64)
    width = 1e-5
    slope = (model.scales(states + width) - model.scales(states - width)) / (2 * width)
    corrected = model.drift(t, states) + 0.5 * model.scales(states) * slope
    assert torch.allclose(model.ito_drift(t, states), corrected, atol=1e-8)
    with torch.no_grad():
        assert torch.allclose(model.ito_drift(t, states), corrected, atol=1e-8)
    surprise = model.surprise(torch.zeros(5).double(), states, states + 0.1, 0.01 + t.expand(5))
    normal = torch.distributions.Normal(states + 0.01 * corrected, 0.1 * model.scales(states))
    assert torch.allclose(surprise, -normal.log_prob(states + 0.1))


def test_sampled_paths_have_the_law_of_the_sde(config_of):
    """A drift b and a diffusion g that are constant: x(t) is normal, with x + b t and g^2 t."""
    words = ("task=dynamics", "model=sde", "data=double-well", "model.noise=additive")
    model = SdeModel(config_of(*words).model, 2, SdeSpec("ito-euler", step_size=0.25))
    drift, count = torch.tensor([0.5, -1.0]), 20_000
    with torch.no_grad():
        for weight in model._drift.parameters():
            weight.zero_()
        [*model._drift.parameters()][-1].copy_(drift)
        first, start = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0.0, 7.0])
        elapsed = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.5, 2.25]])  # the first one is padded
        paths = model.sampled(first, start, elapsed, count, 1)
        scale = model.scales(first[:1])
    found = mean_and_bounds(paths, 0.9)
    mean = (first.unsqueeze(1) + drift * elapsed.unsqueeze(-1)).double()
    deviation = (scale * elapsed.unsqueeze(-1).sqrt()).double()
    error = 4 * deviation / math.sqrt(count) + 1e-5
    assert ((found["{}"] - mean).abs() <= error).all()
    # The standard error of a quantile: sqrt(p (1 - p) / n) by the density there.
    for name, sign in (("{}_low", -1), ("{}_high", 1)):
        off = (found[name] - mean - sign * 1.6449 * deviation).abs()
        assert (off <= error * math.sqrt(0.05 * 0.95) / 0.1031).all()


@pytest.mark.slow
def test_parameters_are_recovered(node_train, tmp_path):
    words = ("data=ornstein-uhlenbeck", "data.points=251", "trainer.max_epochs=4")
    done = node_train(
        "task=dynamics", "model=sde", *words, "hydra.run.dir=run", "trainer.figures=false"
    )
    assert done.returncode == 0, done.stderr
    values = final(tmp_path)
    # theta's standard error is sqrt(2 theta / T) with T = 256 * 5 observed; the mean's is
    # sigma / (theta sqrt(T)), and Euler's increments are off by half a step of 0.02.
    assert values["theta/test"] == pytest.approx(1.0, abs=4 * math.sqrt(2 / 1280))
    assert values["mean/test"] == pytest.approx(0.5, abs=4 * 0.6 / math.sqrt(1280))
    assert values["sigma/test"] == pytest.approx(0.6, abs=0.015)
