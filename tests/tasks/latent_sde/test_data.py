"""The series that a latent SDE learns."""

import gzip
import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from tasks.latent_sde.settings import inflation_config, lorenz_config, segments_config

from node_cli.errors import DataError
from node_cli.schema.series_file import SeriesFileConfig
from node_cli.tasks.latent_sde import inflation as inflation_module
from node_cli.tasks.latent_sde.inflation import inflation
from node_cli.tasks.latent_sde.lorenz import StochasticLorenz, stochastic_lorenz
from node_cli.tasks.latent_sde.schema import SeriesTableConfig
from node_cli.tasks.latent_sde.segments import ou_segments
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, UNSEEN, OneSeries, Series
from node_cli.tasks.latent_sde.series_table import read_series


def one(times, values, roles):
    return OneSeries(torch.tensor(times), torch.tensor(values)[:, None], torch.tensor(roles))


SHORT = one([0.5, 1.0], [1.0, math.nan], [OBSERVED, OBSERVED])
LONG = one([0.0, 0.5, 0.7, 2.0], [2.0, 3.0, 4.0, 5.0], [OBSERVED, UNSEEN, OBSERVED, FORWARD])


def test_series_of_different_lengths_are_padded():
    series = Series.padded([SHORT, LONG])
    assert series.lengths.tolist() == [2, 4]
    assert series.ends.tolist() == [1.0, 2.0]
    assert series.known[..., 0].tolist() == [[True, False, False, False], [True] * 4]
    assert not series.regular
    times, places = series.union()
    torch.testing.assert_close(times, torch.tensor([0.0, 0.5, 0.7, 1.0, 2.0]))
    assert places.tolist() == [[1, 3, 0, 0], [0, 1, 2, 4]]


def test_only_observed_points_are_shown():
    shown = Series.padded([SHORT, LONG]).observed
    torch.testing.assert_close(shown.times, torch.tensor([[0.5, 1.0], [0.0, 0.7]]))
    assert shown.values[1, :, 0].tolist() == [2.0, 4.0]
    assert (shown.roles == OBSERVED).all()
    assert shown.observed is shown


def test_the_segments_of_the_cosine():
    train, validation, test = ou_segments(segments_config(), seed=0).parts
    assert train.values.shape == (1, 20, 1)
    for part in (train, validation, test):
        torch.testing.assert_close(part.values[..., 0], (2 * math.pi * part.times).cos())
        torch.testing.assert_close(part.observed.times, train.times)
        assert (part.times.diff() > 0).all()
    held = [set(part.times[part.roles > OBSERVED].tolist()) for part in (validation, test)]
    assert all(len(times) > 15 for times in held)
    assert not held[0] & held[1]
    assert (test.times[test.roles == FORWARD] > 1.5).all()
    noisy = [
        ou_segments(segments_config(noise=0.1), seed=seed).parts[0].values for seed in (0, 0, 1)
    ]
    assert torch.equal(noisy[0], noisy[1])
    assert not torch.equal(noisy[0], noisy[2])


def test_a_lorenz_system_without_noise_is_the_deterministic_one():
    """And standardised; the solver is torchsde's, its error at the steps of the data small."""
    from node_cli.solving import SolveSpec, solve

    config = lorenz_config(diffusion=(0.0, 0.0, 0.0))
    data = stochastic_lorenz(config, seed=1)
    parts = data.data_set.parts
    train, _, test = parts
    assert [len(part) for part in parts] == [6, 2, 3]
    assert train.regular
    assert test.regular
    assert (test.roles[0] == FORWARD).sum() == 2
    assert (test.roles[0] == UNSEEN).sum() == 2
    raw = test.values.double() * data.std + data.mean
    sde = StochasticLorenz(config)
    with torch.no_grad():
        truth = solve(
            sde.drift,
            raw[:, 0],
            test.times[0].double(),
            SolveSpec("dopri5", rtol=1e-9, atol=1e-9),
            (),
        ).values
    torch.testing.assert_close(raw.transpose(0, 1), truth, rtol=0.01, atol=0.05)
    mean, std = train.values.mean(dim=(0, 1)), train.values.std(dim=(0, 1))
    torch.testing.assert_close(mean, torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(std, torch.ones(3), atol=1e-5, rtol=0)


def test_standardised_drift_and_diffusion_are_those_of_the_increments():
    """Of many short paths from one state: mean and deviation over the time that passed."""
    config = lorenz_config()
    data = stochastic_lorenz(config, seed=0)
    x = data.data_set.parts[2].values[0, 0].double()
    h, generator = 1e-4, torch.Generator().manual_seed(0)
    raw = (x * data.std + data.mean).expand(20_000, 3)
    noise = torch.randn(raw.shape, generator=generator, dtype=torch.float64)
    sde = StochasticLorenz(config)
    after = raw + h * sde.drift(h, raw) + math.sqrt(h) * noise * sde.diffusion(h, raw)
    increment = (after - raw) / data.std
    found = increment.mean(dim=0) / h
    error = data.diffusion(x).abs() / math.sqrt(h * 20_000)
    assert ((found - data.drift(x)).abs() < 4 * error + 1e-9).all()
    deviation = increment.std(dim=0) / math.sqrt(h)
    torch.testing.assert_close(deviation, data.diffusion(x).abs(), rtol=0.03, atol=1e-9)


def table_config(path, **changes):
    return SeriesTableConfig(
        **{
            "name": "csv",
            "path": str(path),
            "id": "id",
            "time": "time",
            "label": None,
            "time_scale": 2.0,
            "origin": "auto",
            "mode": "extrapolation",
            "hidden": 0.25,
            "validation": 0.2,
            "test": 0.2,
            "window": None,
            "batch_size": 2,
            "eval_batch_size": 2,
            **changes,
        }
    )


def written(folder, series):
    """A table of series by name: times, and values a and b."""
    lines = ["id,time,a,b"]
    for name, rows in series.items():
        lines += [f"{name},{time},{a},{b}" for time, a, b in rows]
    path = folder / "series.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def waves(count, length=8):
    return {
        f"s{i}": [(10 + t + 0.1 * i, math.sin(t + i), "" if t % 3 else i) for t in range(length)]
        for i in range(count)
    }


def test_a_table_is_split_scaled_and_standardised(tmp_path):
    series = waves(10)
    series["s3"] = series["s3"][:5]  # of another length
    series["s4"].insert(0, (9.0, "", ""))  # a row without any value is no point
    found = read_series(table_config(written(tmp_path, series)), seed=0)
    assert found.about
    train, validation, test = found.parts
    assert [len(part) for part in (train, validation, test)] == [6, 2, 2]
    every = torch.cat([part.times[part.roles > 0] for part in (train, validation, test)])
    assert float(every.min()) == 0.0
    assert float(every.max()) == pytest.approx(7.9 / 2)
    known = train.known
    for column in range(2):
        values = train.values[..., column][known[..., column]]
        assert float(values.mean()) == pytest.approx(0, abs=1e-5)
        assert float(values.std(correction=0)) == pytest.approx(1, abs=1e-5)
    forward = (test.roles == FORWARD).sum(dim=1).tolist()
    assert forward == [round(0.25 * n) for n in test.lengths.tolist()]


@pytest.mark.parametrize(
    ("series", "changes", "fragment"),
    [
        (waves(6) | {"short": [(0, 1, 2), (1, 2, 3)]}, {}, "the series id short has 2 points"),
        (waves(6) | {"one": [(0, 1, 2)]}, {}, "has 1 point with a value"),
        (waves(6) | {"none": [(0, "", ""), (1, "", ""), (2, "", "")]}, {}, "has 0 points"),
        (waves(1), {}, "it holds 1 series; at least 3 are needed"),
        (waves(6), {"batch_size": 9}, "data.batch_size=9: must be at most 4"),
        (waves(6) | {"bad": [(0, "inf", 1)]}, {}, "a is 'inf'; it must be a finite number"),
        (waves(6) | {"late": [(2, 1, 1), (1, 1, 1)]}, {}, "an earlier time"),
        ({f"s{i}": [(t, t, 1) for t in range(4)] for i in range(6)}, {}, "column b is constant"),
        ({f"s{i}": [(t, t, "") for t in range(4)] for i in range(6)}, {}, "column b is empty"),
    ],
    ids=[
        "two-points",
        "one-point",
        "no-value",
        "one-series",
        "batch",
        "infinite",
        "order",
        "constant",
        "empty",
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, series, changes, fragment):
    with pytest.raises(DataError, match=fragment):
        read_series(table_config(written(tmp_path, series), **changes), seed=0)


@pytest.fixture
def prices(tmp_path, monkeypatch):
    """A stand-in for the file of the package: 300 months."""
    months = np.exp(np.cumsum(0.003 + 0.002 * np.sin(np.arange(300) / 20)))
    path = tmp_path / "core-cpi.csv.gz"
    lines = ["Date,CPILFESL", *(f"1/1/{i},{price}" for i, price in enumerate(months))]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    monkeypatch.setattr(inflation_module, "installed_file", lambda *_: path)
    return path, months


def test_windows_of_inflation_do_not_overlap_between_the_parts(prices):
    _, months = prices
    found = inflation(inflation_config())
    assert "public domain" in found.about
    train, validation, test = found.parts
    rates = 100 * np.log(months[12:] / months[:-12])
    held = round(0.2 * len(rates))
    first = rates[: len(rates) - 2 * held]
    expected = (rates - first.mean()) / first.std()
    np.testing.assert_allclose(train.values[1, :, 0], expected[12:36], rtol=1e-5, atol=1e-5)
    assert train.values.shape[1] == 24
    np.testing.assert_allclose(test.values[0, :, 0], expected[-held:][:30], rtol=1e-5, atol=1e-5)
    assert (test.roles[0] == FORWARD).sum() == 6
    assert float(test.observed.times[0, -1]) == pytest.approx(2.0)
    assert len(validation) == (held - 30) // 12 + 1
    own = found.units.own_values(test.values[0])[:, 0]
    np.testing.assert_allclose(own, rates[-held:][:30], rtol=1e-5)
    months = found.units.model_times(test.at, test.at[:, :1])
    torch.testing.assert_close(months, test.times)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"points": 60}, "a window of 66 months does not fit into the 58 months of validation"),
        ({"batch_size": 20}, "data.batch_size=20: must be at most"),
    ],
)
def test_inflation_that_does_not_suffice(prices, changes, fragment):
    with pytest.raises(DataError, match=fragment):
        inflation(inflation_config(**changes))


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"a,b\n1,2\n", mtime=0),
        gzip.compress(b"Date,CPILFESL\n1,-3\n", mtime=0),
    ],
)
def test_another_file_in_the_package(prices, content):
    prices[0].write_bytes(content)
    with pytest.raises(DataError, match="this is not the file of prices"):
        inflation(inflation_config())


@pytest.mark.skipif(find_spec("arch") is None, reason="needs arch, which takes long to import")
def test_the_file_of_the_package():
    found = inflation(inflation_config())
    assert "arch" in found.about
    train, _, test = found.parts
    assert torch.isfinite(train.values).all()
    assert len(test) > 5


def test_the_table_has_the_settings_that_all_tasks_share():
    assert set(SeriesTableConfig.model_fields) == set(SeriesFileConfig.model_fields)
