"""node-predict on paths of SDEs: its numbers are those of the run's own evaluation."""

import shutil
from contextlib import chdir
from itertools import compress

import numpy as np
import pytest
import torch
from predictions import final, series, table, write_table

from node_cli.notebook import load
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, UNSEEN
from node_cli.training.trained import trained_run

pytest.importorskip("torchsde")
CPU = torch.device("cpu")
ROLES = {"observed": OBSERVED, "unseen": UNSEEN, "forward": FORWARD}


def points_of(run):
    """The task of a run with its test: units, ids and examples."""
    used = trained_run(run)
    with chdir(run.parent):  # where a file is
        loaders = used.task.loaders(CPU)
    return used.model.units, loaders.labels.get("id"), loaders.test.batches.examples


def rows_of(units, ids, at, values, there):
    """Points as rows in the units of the data."""
    own = units.own_values(values)[there].t().numpy()
    names = [ids[i] for i in there.nonzero()[:, 0].tolist()]
    return {"id": names, "time": at[there].numpy(), **dict(zip(units.columns, own, strict=True))}


@pytest.fixture
def asked(runs, node_predict, tmp_path):
    """What node-predict says from some rows at the times of others."""

    def asked(family, given, times, *words):
        write_table(tmp_path / "given.csv", given)
        write_table(tmp_path / "asked.csv", {name: times[name] for name in ("id", "time")})
        words = ("given.csv", "--times-file", "asked.csv", "--device", "cpu", *words)
        done = node_predict(runs(family), "-o", "out.csv", *words)
        assert done.returncode == 0, done.stderr
        return table(tmp_path / "out.csv")

    return asked


@pytest.mark.parametrize("family", ["latent-sde", "lorenz"])
def test_mean_paths_have_the_errors_of_the_test(runs, asked, tmp_path, family):
    run = runs(family)
    units, ids, test = points_of(run)
    there = test.roles > 0
    rows = rows_of(units, ids, test.at, test.values, there)
    given = rows_of(units, ids, test.at, test.values, test.roles == OBSERVED)
    found = asked(family, given, rows)
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    first = units.columns[0]
    assert list(found)[:5] == ["id", "time", first, f"{first}_low", f"{first}_high"]
    assert (found[f"{first}_low"] < found[f"{first}_high"]).all()
    off = [
        (found[name] - rows[name]) / scale
        for name, scale in zip(units.columns, units.scale.tolist(), strict=True)
    ]
    compared = 0
    for name, role in ROLES.items():
        kept = (test.roles == role)[there].numpy()
        if kept.any():
            error = np.sqrt(np.mean(np.square([one[kept] for one in off])))
            assert error == pytest.approx(final(run)[f"rmse_{name}/test"], rel=1e-4)
            compared += 1
    assert compared == (2 if family == "latent-sde" else 3)


def test_one_series_has_the_errors_of_the_test(runs, node_predict, tmp_path):
    """The run has learned the posterior of this series, and needs no file."""
    run = runs("segments")
    _, ids, test = points_of(run)
    assert ids is None
    write_table(tmp_path / "times.csv", {"time": test.at[0].numpy()})
    words = ("--times-file", "times.csv", "--device", "cpu")
    assert node_predict(run, "-o", "out.csv", *words).returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    found = table(tmp_path / "out.csv")
    assert list(found) == ["time", "x", "x_low", "x_high"]
    for name, role in ROLES.items():
        kept = (test.roles == role)[0].numpy()
        error = np.sqrt(np.mean((found["x"] - test.values[0, :, 0].numpy())[kept] ** 2))
        assert error == pytest.approx(final(run)[f"rmse_{name}/test"], rel=1e-4)
    assert node_predict(run, "-o", "even.npy", "--device", "cpu").returncode == 0
    even = np.load(tmp_path / "even.npy")[:, 0]
    assert (even[0], even[-1]) == pytest.approx((0.3, 1.5 + 0.6))


def test_what_is_learned_of_one_series_is_the_law_of_its_paths(runs, node_predict, tmp_path):
    """After the last point paths follow the prior, so that far ahead its law is that of all.

    Euler's steps of length h make the stationary variance of theta, sigma that of
    sigma^2 / (2 theta - theta^2 h).
    """
    run = runs("segments")
    words = ("--times", "40", "--samples", 4000, "--band", 0.5, "--device", "cpu")
    assert node_predict(run, "-o", "out.csv", *words).returncode == 0
    found = table(tmp_path / "out.csv")
    data = trained_run(run).config.data
    deviation = data.sigma / np.sqrt(2 * data.theta - 0.1 * data.theta**2)
    assert found["x"][0] == pytest.approx(data.mu, abs=4 * deviation / np.sqrt(4000))
    half = 0.6745 * deviation  # of the normal distribution inside
    error = 4 * deviation * np.sqrt(0.25 * 0.75 / 4000) / 0.3178  # the density there
    assert found["x_low"][0] == pytest.approx(data.mu - half, abs=error)
    assert found["x_high"][0] == pytest.approx(data.mu + half, abs=error)


def test_ends_of_paths_have_the_distance_of_the_test(runs, asked):
    """One path of each state, to the last time, is what the evaluation draws."""
    run = runs("double-well")
    units, ids, test = points_of(run)
    rows = [
        rows_of(units, ids, test.at[:, place], test.states[:, place], test.there[:, place])
        for place in (slice(0, 1), slice(-1, None))
    ]
    found = asked("double-well", *rows, "--samples", 1)
    (name,) = units.columns
    assert np.array_equal(found[name], found[f"{name}_low"])
    assert np.array_equal(found["time"], rows[1]["time"])
    distance = np.abs(np.sort(found[name]) - np.sort(rows[1][name])).mean()
    assert distance == pytest.approx(final(run)["wasserstein/test"], rel=1e-5)


@pytest.mark.parametrize("family", ["double-well", "paths"])
def test_paths_are_those_that_a_run_keeps(runs, asked, tmp_path, family):
    """Of series at times of their own too, which end and begin where they want."""
    run = runs(family)
    units, ids, test = points_of(run)
    first = torch.zeros_like(test.there)
    first[:, 0] = True
    given = rows_of(units, ids, test.at, test.states, first)
    found = asked(family, given, rows_of(units, ids, test.at, test.states, test.there))
    assert (tmp_path / "out.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    begin = first[test.there].numpy()
    for name in units.columns:
        assert np.allclose(found[name][begin], given[name], rtol=1e-6)
        assert np.allclose(found[f"{name}_high"][begin], given[name], rtol=1e-6)
        assert (found[f"{name}_low"] < found[f"{name}_high"])[~begin].all()


def test_a_path_knows_when_it_begins(runs):
    """The drift of a series that begins later is that of later times: Euler's steps by hand."""
    model = trained_run(runs("paths")).model
    step = model.solve.spec.length_of_steps(1.0)
    first, start = torch.tensor([[0.3, -0.2], [0.3, -0.2]]), torch.tensor([0.0, 1.5])
    elapsed = torch.tensor([[0.0, 4 * step], [0.0, 4 * step]])
    with torch.no_grad():
        paths = model.sampled(first, start, elapsed, 500, 3)
        expected = first.clone()
        for number in range(4):
            expected = expected + step * model.drift((start + number * step).unsqueeze(1), expected)
    assert paths.shape == (500, 2, 2, 2)
    error = 4 * float(paths[:, :, 1].std()) / 500**0.5
    assert torch.allclose(paths[:, :, 1].mean(dim=0), expected, atol=error)


@pytest.mark.parametrize("family", ["latent-sde", "paths"])
def test_seeds_samples_and_bands(runs, node_predict, tmp_path, family):
    run, circles = runs(family), series()
    few = [circle in ("circle 0", "circle 1", "circle 2") for circle in circles["id"]]
    given = {name: [*compress(column, few)] for name, column in circles.items()}
    write_table(tmp_path / "given.csv", given)
    for name, words in {
        "first": (),
        "again": (),
        "other": ("--seed", 1),
        "narrow": ("--band", 0.2),
        "more": ("--samples", 30),
    }.items():
        words = ("--device", "cpu", "--samples", 12, *words)
        done = node_predict(run, "given.csv", "-o", f"{name}.npy", *words)
        assert done.returncode == 0, done.stderr
    first, again, other, narrow, more = (
        np.load(tmp_path / f"{name}.npy") for name in ("first", "again", "other", "narrow", "more")
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first["up"], other["up"])
    assert np.array_equal(first["up"], narrow["up"])
    assert not np.array_equal(first["up"], more["up"])
    wide, inner = (table["up_high"] - table["up_low"] for table in (first, narrow))
    assert (inner <= wide).all()
    assert wide.mean() > 2 * inner.mean()
    frame = load(run).predict(tmp_path / "given.csv", samples=12, device="cpu")
    assert np.allclose(frame["up_high"], first["up_high"], rtol=1e-12)


@pytest.mark.parametrize("family", ["latent-sde", "paths"])
def test_a_run_predicts_without_its_data(runs, node_predict, tmp_path, family):
    turned = {name: series()[name] for name in ("right", "time", "up", "id")}
    write_table(tmp_path / "given.csv", series())
    write_table(tmp_path / "turned.csv", turned)
    found = []
    for name in ("given", "turned"):
        words = (f"{name}.csv", "-o", f"{name}.npy", "--times", "105,106", "--device", "cpu")
        done = node_predict(runs(family), *words)
        assert done.returncode == 0, done.stderr
        found.append(np.load(tmp_path / f"{name}.npy"))
    assert np.array_equal(*found)


def test_rows_without_a_value_and_times_that_become_one(runs, node_predict, tmp_path):
    """A row without a value is no point, and a model knows times in single precision."""
    run = runs("latent-sde")
    plain = "id,time,up,right\na,101,50,1\na,102,51,0\n"
    for name, text in {
        "plain": plain,
        "empty": f"{plain}a,103,,\n",
        "close": plain.replace("a,102", "a,101.000000001,50,1\na,102"),
    }.items():
        (tmp_path / f"{name}.csv").write_text(text)
        words = (f"{name}.csv", "-o", f"{name}.npy", "--times", "101,102.5,102.5000000001")
        done = node_predict(run, *words, "--device", "cpu")
        assert done.returncode == 0, done.stderr
    plain, empty, close = (
        np.load(tmp_path / f"{name}.npy") for name in ("plain", "empty", "close")
    )
    assert np.array_equal(plain, empty)
    assert plain["up"][1] == plain["up"][2]
    assert np.isfinite(close["up"]).all()


def test_a_checkpoint_from_before_units_were_kept(runs, node_predict, node_train, tmp_path):
    """The run's data, where they still are, tell them."""
    for family in ("latent-sde", "paths", "lorenz"):
        run = tmp_path / family
        shutil.copytree(runs(family), run)
        for path in (run / "checkpoints").iterdir():
            content = torch.load(path, weights_only=True)
            del content["model"]["_extra_state"]
            torch.save(content, path)
        write_table(tmp_path / "series.csv", series())
        (tmp_path / "point.csv").write_text("id,time,x,y,z\na,0,1,2,20\n")
        given = "point.csv" if family == "lorenz" else "series.csv"
        for name, of in (("old", run), ("new", runs(family))):
            words = (of, given, "-o", f"{name}.npy", "--times", "105,106", "--device", "cpu")
            done = node_predict(*words)
            assert done.returncode == 0, done.stderr
        old, new = (np.load(tmp_path / f"{name}.npy") for name in ("old", "new"))
        assert np.array_equal(old, new)
        done = node_train(f"trainer.resume={family}", "trainer.max_steps=5")
        assert done.returncode == 0, done.stderr
