"""The paths by their law, and how far apart two sets of them are."""

import math

import pytest
import torch

from node_cli.tasks.sde_gan.distances import distances, signatures
from node_cli.tasks.sde_gan.schema import TimeDependentOuConfig
from node_cli.tasks.sde_gan.time_dependent_ou import time_dependent_ou


def config(**changes):
    given = {
        "name": "time-dependent-ou", "mu": 0.02, "theta": 0.1, "sigma": 0.4, "points": 32,
        "series": 20_000, "validation": 2, "test": 2, "batch_size": 4, "eval_batch_size": 4,
    }  # fmt: skip
    return TimeDependentOuConfig(**{**given, **changes})


def test_paths_have_means_and_covariances_of_the_process():
    paths = time_dependent_ou(config(), seed=3)[0].double()
    t = torch.arange(32.0, dtype=torch.float64)
    mu, theta, sigma = 0.02, 0.1, 0.4
    mean = mu * (t / theta - (1 - (-theta * t).exp()) / theta**2)
    # Of y(0), which is uniform, and of the noise since then.
    variance = (-2 * theta * t).exp() / 3 + sigma**2 * (1 - (-2 * theta * t).exp()) / (2 * theta)
    error = (variance / len(paths)).sqrt()
    assert float(((paths.mean(dim=0) - mean) / error).abs().max()) < 4
    assert float((paths.var(dim=0) / variance - 1).abs().max()) < 4 * math.sqrt(2 / len(paths))
    covariance = paths.T.cov()
    lag = 5
    expected = variance[:-lag] * math.exp(-theta * lag)
    found = covariance.diagonal(lag)
    assert float((found / expected - 1).abs().max()) < 0.06


def test_the_parts_are_a_function_of_the_seed():
    first, again = (time_dependent_ou(config(series=4), seed=1) for _ in range(2))
    assert [tuple(part.shape) for part in first] == [(4, 32), (2, 32), (2, 32)]
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], time_dependent_ou(config(series=4), seed=2)[0])


def test_signatures_are_the_iterated_integrals():
    """Of a path (t, y) from 0: t, y; t^2/2, int t dy, int y dt, y^2/2; and so on."""
    t = torch.linspace(0, 1, 401, dtype=torch.float64)
    y = torch.stack((t**2, (3 * t).sin()))
    found = signatures(y, depth=3)
    assert found.shape == (2, 2 + 4 + 8)
    for row, path in zip(found, y, strict=True):
        end = path[-1]
        middle = (path[1:] + path[:-1]) / 2
        of_dt = (middle * t.diff()).sum()
        expected = torch.stack((t[-1], end, t[-1] ** 2 / 2, end - of_dt, of_dt, end**2 / 2))
        torch.testing.assert_close(row[:6], expected, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(row[6], t[-1] ** 3 / 6)
        torch.testing.assert_close(row[13], end**3 / 6)


def test_signatures_do_not_change_where_a_path_is_cut():
    torch.manual_seed(0)
    path = torch.randn(3, 5, dtype=torch.float64)
    finer = torch.stack((path[:, :-1], (path[:, :-1] + path[:, 1:]) / 2), dim=-1).flatten(1)
    finer = torch.cat((finer, path[:, -1:]), dim=1)
    torch.testing.assert_close(signatures(finer), signatures(path))


def test_distances_of_known_changes():
    data = time_dependent_ou(config(series=4000), seed=0)[0].double()
    same = distances(data, data)
    assert same == pytest.approx(dict.fromkeys(same, 0.0), abs=1e-12)
    shifted = distances(data + 0.5 * data.std(dim=0), data)
    assert shifted["mean_error"] == pytest.approx(0.5)
    assert shifted["marginal_distance"] == pytest.approx(0.5, rel=1e-6)
    assert shifted["deviation_error"] == pytest.approx(0.0, abs=1e-9)
    wider = distances(data.mean(dim=0) + 1.2 * (data - data.mean(dim=0)), data)
    assert wider["deviation_error"] == pytest.approx(0.2)
    assert wider["correlation_error"] == pytest.approx(0.0, abs=1e-9)
    # The same marginals without any memory are told apart by what looks at whole paths.
    torch.manual_seed(0)
    order = torch.stack([torch.randperm(len(data)) for _ in range(data.shape[1])], dim=1)
    mixed = distances(data.gather(0, order), data)
    assert mixed["marginal_distance"] == pytest.approx(0.0, abs=1e-9)
    assert mixed["correlation_error"] > 0.2
    assert mixed["increment_error"] > 1
    least = distances(data[:2000], data[2000:])
    assert mixed["signature_distance"] > 3 * least["signature_distance"]
