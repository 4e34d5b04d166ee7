"""Whole runs of latent SDEs."""

import gzip
import json
import math
from importlib.util import find_spec

import pytest
import torch

pytest.importorskip("torchsde")

TINY = (
    "task=latent-sde",
    "trainer.threads=1",
    "trainer.figures=false",
    "trainer.log_every=1",
    "model.hidden=8",
    "model.samples=4",
    "model.eval_samples=8",
    "solver.step_size=0.1",
    "hydra.run.dir=run",
)
LORENZ = (
    "data=stochastic-lorenz",
    "data.series=8",
    "data.validation=3",
    "data.test=3",
    "data.points=10",
    "data.span=0.3",
    "data.forward=3",
    "data.batch_size=4",
    "model.context=3",
    "model.samples=1",
)


def final(folder):
    return json.loads((folder / "summary.json").read_text())["final"]


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").open()]


def table(path, series=8, points=6):
    rows = ["id,time,a,b"]
    for i in range(series):
        for j in range(points + i % 2):
            b = "" if j % 3 else 0.1 * j
            rows.append(f"s{i},{10 + j + 0.1 * i},{math.sin(i + j):.6f},{b}")
    path.write_text("\n".join(rows) + "\n")


@pytest.mark.slow
def test_one_series_with_a_given_prior(node_train, tmp_path):
    words = ("trainer.max_epochs=2", "data.steps=3", "trainer.figures=true", "optimizer.lr=0.01")
    done = node_train(*TINY, *words)
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    for name in ("loss", "path_kl", "start_kl", "rmse_observed", "rmse_unseen", "rmse_forward",
                 "rmse_forward_of_last", "inside_50", "inside_90", "evidence_gap"):  # fmt: skip
        assert math.isfinite(values[f"{name}/test"]), name
    assert 0 <= values["inside_50/test"] <= values["inside_90/test"] <= 1
    assert values["path_kl/test"] > 0
    assert values["nfe/diffusion"] * 2 == values["nfe/drift"]
    names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert names == {
        "bands", "posterior_drift", "kl_per_epoch", "loss_per_epoch", "nfe_per_epoch"
    }  # fmt: skip


@pytest.mark.slow
def test_the_elbo_comes_near_the_evidence(node_train, tmp_path):
    """Which no ELBO can exceed but by its own noise."""
    done = node_train(
        *TINY[:4], "hydra.run.dir=run", "model.hidden=32", "model.samples=16", "model.noise=0.3",
        "model.eval_samples=400", "solver.step_size=0.1", "data.steps=75", "trainer.max_epochs=1",
        "trainer.log_every=25", "optimizer.lr=0.03",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    assert -0.5 < values["evidence_gap/test"] < 5
    assert 0.05 < values["noise/test"] < 0.6
    assert values["rmse_observed/test"] < 0.5


@pytest.mark.slow
def test_a_stochastic_lorenz_system(node_train, tmp_path):
    done = node_train(*TINY, *LORENZ, "trainer.max_steps=2", "trainer.figures=true")
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    for name in ("drift_error", "diffusion_error", "rmse_forward", "inside_90"):
        assert math.isfinite(values[f"{name}/test"]), name
    assert "evidence_gap/test" not in values
    names = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert names >= {"bands", "paths", "drift_and_diffusion", "kl_per_epoch"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "adjoint=full solver=ito-milstein model.likelihood=laplace model.learn_noise=false",
        "solver=stratonovich-reversible_heun model.calculus=stratonovich adjoint=full",
        "solver=ito-srk solver.step_size=null solver.num_steps=4 model.frequencies=2",
        "solver=ito-milstein solver.kind=adaptive tolerance=loose",
    ],
)
def test_the_variants_train(node_train, tmp_path, words):
    done = node_train(*TINY, "trainer.max_steps=1", *words.split(" "))
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    assert math.isfinite(values["loss/test"])
    assert ("evidence_gap/test" in values) == ("laplace" not in words)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["interpolation", "extrapolation"])
def test_series_of_the_users_own(node_train, tmp_path, mode):
    table(tmp_path / "mine.csv")
    done = node_train(
        *TINY, "data=csv", "data.path=mine.csv", f"data.mode={mode}", "data.batch_size=3",
        "model.context=3", "trainer.max_steps=2", "model.latent=2",
        f"trainer.figures={str(mode == 'extrapolation').lower()}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = final(tmp_path / "run")
    kind = "unseen" if mode == "interpolation" else "forward"
    assert math.isfinite(values[f"rmse_{kind}/test"])
    drawn = (tmp_path / "run" / "figures" / "bands.png").exists()
    assert drawn == (mode == "extrapolation")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("arch") is None, reason="needs arch")
def test_inflation_says_where_it_is_from(node_train, tmp_path):
    words = ("data=inflation", "model.samples=1", "model.context=3", "trainer.max_steps=1")
    done = node_train(*TINY, *words)
    assert done.returncode == 0, done.stderr
    assert "U.S. Bureau of Labor Statistics, public domain; read from arch" in " ".join(
        done.stdout.split()
    )


@pytest.mark.slow
@pytest.mark.parametrize("data", ["ou-segments", "stochastic-lorenz"])
def test_a_run_in_two_parts_gives_the_same_numbers(node_train, tmp_path, data):
    words = (*TINY[:-1], *(LORENZ if data == "stochastic-lorenz" else ("data.steps=2",)))
    words = (*words, "schedule=constant", "model.kl_warmup=0", "trainer.max_epochs=2")
    assert node_train(*words, "hydra.run.dir=whole").returncode == 0
    node_train(*words, "trainer.max_steps=3", "hydra.run.dir=half")
    resumed = node_train("trainer.resume=half", "trainer.max_steps=null")
    assert resumed.returncode == 0, resumed.stderr
    whole, half = (
        [line["loss/train"] for line in lines(tmp_path / name) if "loss/train" in line]
        for name in ("whole", "half")
    )
    assert len(whole) == 4
    assert whole == half
    assert final(tmp_path / "whole")["loss/test"] == final(tmp_path / "half")["loss/test"]


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("model.noise=-0.1", "must be a finite number > 0"),
        ("data.noise=-1", "must be a finite number >= 0"),
        ("model.kl_warmup=1", "a number from 0 to below 1"),
        ("model.likelihood=cauchy", "must be one of normal, laplace"),
        ("model.latent=3", "leave model.latent out"),
        ("model.context=8", "leave model.context out"),
        ("data.batch_size=4", "data=ou-segments is one series"),
        ("data=stochastic-lorenz model.frequencies=2", "leave it out"),
        ("data=stochastic-lorenz data.diffusion=[0.1,0.2]", "data.diffusion[2] is missing"),
        ("data=stochastic-lorenz data.batch_size=5000", "at most data.series=1024"),
        ("data=stochastic-lorenz data.points=1", "an integer from 2 to"),
        ("data=inflation data.validation=0.6 data.test=0.5", "together they must be below 1"),
        ("data=lorenz", "task=latent-sde use data=ou-segments, stochastic-lorenz, csv, inflation"),
        ("data=csv", "give data.path=FILE"),
        ("data=csv data.path=x.csv data.window=3", "trains on whole series; leave it out"),
        ("solver=dopri5", "dopri5 solves ODEs"),
        ("solver=stratonovich-heun", "or model.calculus=stratonovich"),
        ("model.calculus=stratonovich", "ito-euler"),
        ("adjoint=seminorm", "use adjoint=direct or adjoint=full"),
    ],
)
def test_one_sentence(node_train, tmp_path, words, fragment):
    done = node_train("task=latent-sde", "hydra.run.dir=run", *words.split(" "))
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert fragment in line
    assert not (tmp_path / "run").exists()


def test_a_table_that_is_too_short_is_told(node_train, tmp_path):
    table(tmp_path / "mine.csv", points=2)
    done = node_train(*TINY, "data=csv", "data.path=mine.csv")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "the series id s0 has 2 points with a value; a path needs at least 3" in line


def test_a_package_that_is_missing_is_told(node_train, monkeypatch):
    monkeypatch.setattr("node_cli.data.installed_package.find_spec", lambda name: None)
    done = node_train(*TINY, "data=inflation")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "data=inflation needs the package arch, which is not installed; pip install" in line


def test_a_package_with_other_data_is_told(node_train, tmp_path, monkeypatch):
    """And a checkpoint from before the prices had a digest is resumed."""
    path = tmp_path / "core-cpi.csv.gz"
    monkeypatch.setattr("node_cli.tasks.latent_sde.inflation.installed_file", lambda *_: path)

    def write(last):
        prices = [100 * math.exp(0.003 * i + 0.01 * math.sin(i / 9)) for i in range(300)]
        lines = ["Date,CPILFESL", *(f"1/1/{i},{price}" for i, price in enumerate(prices))]
        lines[-1] = f"1/1/299,{last}"
        path.write_bytes(gzip.compress("\n".join(lines).encode()))

    write(250)
    small = ("data.points=12", "data.forward=3", "data.batch_size=4", "model.context=3")
    done = node_train(*TINY, "data=inflation", *small, "trainer.max_steps=1")
    assert done.returncode == 0, done.stderr
    write(251)
    refused = node_train("trainer.resume=run", "trainer.max_steps=2")
    assert refused.returncode == 1
    assert "belongs to a run on other data, which have changed since" in refused.stderr
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    content = torch.load(last, weights_only=True)
    torch.save({**content, "data_digest": None}, last)
    for steps in (2, 3):  # the second time it has the digest
        done = node_train("trainer.resume=run", f"trainer.max_steps={steps}")
        assert done.returncode == 0, done.stderr
    write(250)
    assert node_train("trainer.resume=run", "trainer.max_steps=4").returncode == 1
