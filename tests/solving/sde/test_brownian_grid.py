"""Brownian paths over given steps."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from solving.sde.sdes import GeometricBrownian, OrnsteinUhlenbeck, ones

from node_cli.methods import SDE_METHODS
from node_cli.solving.sde import BrownianGrid, SdeSpec, brownian_grid, solve_sde

POINTS = [0.0, 0.1, 0.3, 0.6, 1.0]


def test_increments_and_areas_have_the_right_covariance():
    count = 200_000
    path = BrownianGrid([0.0, 0.25, 0.5], (count, 1), 3, torch.float64, levy_areas=True)
    for start, stop in ((0.0, 0.25), (0.0, 0.5)):
        w, u = (part.squeeze(1) for part in path(start, stop, return_U=True))
        h = stop - start
        found = torch.cov(torch.stack((w, u)))
        right = torch.tensor([[h, h**2 / 2], [h**2 / 2, h**3 / 3]], dtype=torch.float64)
        deviation = (right.square() + right.diag().outer(right.diag())).div(count).sqrt()
        assert bool(((found - right).abs() < 4 * deviation).all())


def test_a_path_is_a_function_of_its_seed_whatever_is_asked_in_which_order(monkeypatch):
    whole = BrownianGrid(POINTS, (3, 2), 8, torch.float64)
    forwards = [whole(a, b) for a, b in pairwise(POINTS)]
    monkeypatch.setattr(brownian_grid, "_BLOCK", 2**20)
    again = BrownianGrid(POINTS, (3, 2), 8, torch.float64)
    backwards = [again(a, b) for a, b in zip(POINTS[-2::-1], POINTS[:0:-1], strict=True)]
    assert all(torch.equal(a, b) for a, b in zip(forwards, backwards[::-1], strict=True))
    assert torch.allclose(whole(0.0, 1.0), sum(forwards))
    assert not torch.equal(BrownianGrid(POINTS, (3, 2), 9, torch.float64)(0.0, 0.1), forwards[0])


def test_blocks_are_drawn_again_on_the_way_back(monkeypatch):
    monkeypatch.setattr(brownian_grid, "_BLOCK", 12)  # two steps of [3, 2]
    path = BrownianGrid(POINTS, (3, 2), 8)
    forwards = [path(a, b) for a, b in pairwise(POINTS)]
    assert torch.equal(path(0.0, 0.1), forwards[0])
    assert torch.allclose(path(0.1, 0.6), forwards[1] + forwards[2])
    assert len({float(increment.sum()) for increment in forwards}) == 4


def test_what_is_not_on_the_grid_is_refused():
    path = BrownianGrid(POINTS, (3, 2), 8)
    with pytest.raises(ValueError, match=r"t = 0.2 is between the points"):
        path(0.1, 0.2)
    with pytest.raises(ValueError, match=r"no such values"):
        path(0.1, 0.3, return_U=True)


def numpy_state():
    return np.random.get_state()[1].tolist()  # noqa: NPY002  # that which others could have drawn of


@pytest.mark.parametrize("name", SDE_METHODS)
def test_a_solve_is_a_function_of_its_seed_and_leaves_global_generators_alone(name):
    pytest.importorskip("torchsde")
    sde = GeometricBrownian(SDE_METHODS[name].calculus)
    adaptive = name != "ito-euler"
    for spec in (
        SdeSpec(name, step_size=0.1, adjoint="full"),
        SdeSpec(name, step_size=0.1, adaptive=adaptive, rtol=0.1),
    ):
        states = torch.get_rng_state(), numpy_state()
        first = solve_sde(sde, ones(3), [0.0, 0.5, 1.0], spec, 5)
        first.values.sum().backward()
        assert torch.equal(torch.get_rng_state(), states[0])
        assert numpy_state() == states[1]
        torch.rand(1), np.random.rand()  # noqa: NPY002
        second = solve_sde(sde, ones(3), [0.0, 0.5, 1.0], spec, 5)
        assert torch.equal(first.values, second.values)
        other = solve_sde(sde, ones(3), [0.0, 0.5, 1.0], spec, 6)
        assert not torch.equal(first.values, other.values)


def test_asking_for_the_kl_leaves_the_path_as_it_is():
    pytest.importorskip("torchsde")
    spec = SdeSpec("ito-euler", num_steps=4)
    plain, with_kl = (
        solve_sde(OrnsteinUhlenbeck(), ones(3, 2), [0.0, 1.0], spec, 5, path_kl=kl).values
        for kl in (False, True)
    )
    assert torch.equal(plain, with_kl)


def test_states_of_any_shape_have_diagonal_noise():
    pytest.importorskip("torchsde")
    spec = SdeSpec("ito-euler", num_steps=4)
    image = torch.ones(3, 2, 4, 4, dtype=torch.float64)
    shaped = solve_sde(GeometricBrownian(), image, [0.0, 1.0], spec, 5)
    flat = solve_sde(GeometricBrownian(), image.flatten(1), [0.0, 1.0], spec, 5)
    assert torch.equal(shaped.values, flat.values.reshape(2, 3, 2, 4, 4))
