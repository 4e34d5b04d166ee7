import math

import pytest
import torch

from node_cli.data.random_streams import random_stream
from node_cli.tasks.densities.picture import ImageDensity
from node_cli.tasks.densities.points import FreshBatches, held_out
from node_cli.tasks.densities.shapes import (
    Checkerboard,
    Mixture,
    Moons,
    Pinwheel,
    Rings,
    Scaled,
    SwissRoll,
    TwoSpirals,
    eight_gaussians,
)

MIXTURE = Mixture(
    [1.0, 3.0],
    [[-0.5, 0.0], [0.5, 0.2]],
    [[[0.05, 0.02], [0.02, 0.03]], [[0.02, 0.0], [0.0, 0.08]]],
)
PICTURE = ImageDensity(torch.tensor([[0.0, 5.0, 1.0], [2.0, 0.0, 4.0]]))
KNOWN = {
    "circles": Rings((1.0, 0.5), 0.06),
    "rings": Rings((1.0, 0.75, 0.5, 0.25), 0.05),
    "8-gaussians": eight_gaussians(0.1),
    "mixture": MIXTURE,
    "checkerboard": Checkerboard(),
    "image": PICTURE,
    "scaled": Scaled(Rings((0.5,), 0.06), 2.0),
    "scaled checkerboard": Scaled(Checkerboard(), 1.3),
}
OTHERS = {
    "moons": Moons(0.05),
    "two-spirals": TwoSpirals(0.025),
    "pinwheel": Pinwheel(0.3),
    "swiss-roll": SwissRoll(0.05),
}
SIDE = 1.7


def cells(count, fine):
    """The centres of a grid over the square of all densities, ``[count * fine squared, 2]``."""
    side = ((torch.arange(count * fine) + 0.5) / (count * fine) * 2 - 1).double() * SIDE
    y, x = torch.meshgrid(side, side, indexing="ij")
    return torch.stack((x, y), dim=2).reshape(-1, 2)


@pytest.mark.parametrize("name", KNOWN)
def test_samples_have_the_density_that_is_claimed(name):
    """The share of samples in each of 12 x 12 cells, against the density's integral over it."""
    density, count, fine, size = KNOWN[name], 200_000, 60, 12
    truth = density.log_density(cells(size, fine)).exp().reshape(size, fine, size, fine)
    mass = truth.sum((1, 3)) * (2 * SIDE / (size * fine)) ** 2
    assert float(mass.sum()) == pytest.approx(1, abs=0.01)
    samples = density.sample(count, random_stream(0))
    place = ((samples.double() / SIDE + 1) / 2 * size).floor().long()
    assert bool(((place >= 0) & (place < size)).all())
    seen = torch.bincount(place[:, 1] * size + place[:, 0], minlength=size**2).reshape(size, size)
    error = (mass * (1 - mass) / count).sqrt()
    # Hard edges are integrated to about 1 % of a cell.
    assert bool(((seen / count - mass).abs() < 5 * error + 0.02 * mass + 1e-5).all())


@pytest.mark.parametrize("name", KNOWN)
def test_no_sample_is_impossible(name):
    """A log-density of minus infinity at a sample would make the KL infinite."""
    samples = KNOWN[name].sample(500_000, random_stream(1))
    assert bool(torch.isfinite(KNOWN[name].log_density(samples)).all())


@pytest.mark.parametrize("name", [*KNOWN, *OTHERS])
def test_samples_are_single_precision_and_follow_their_generator(name):
    density = {**KNOWN, **OTHERS}[name]
    first, again, other = (density.sample(100, random_stream(s)) for s in (1, 1, 2))
    assert first.dtype == torch.float32
    assert first.shape == (100, 2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", OTHERS)
def test_other_shapes_fill_the_unit_square_and_have_no_known_density(name):
    samples = OTHERS[name].sample(50_000, random_stream(0))
    assert OTHERS[name].log_density(samples) is None
    reach = samples.abs().quantile(0.99, dim=0).max()
    assert 0.6 < float(reach) < 1.2


def test_noiseless_shapes_lie_on_their_curves():
    moons = Moons(0.0).sample(1000, random_stream(0))
    upper = (moons - torch.tensor((-0.25, -0.125))).norm(dim=1)
    lower = (moons - torch.tensor((0.25, 0.125))).norm(dim=1)
    assert bool(torch.minimum((upper - 0.5).abs(), (lower - 0.5).abs()).max() < 1e-6)
    rings = Rings((1.0, 0.5), 0.0)
    radii = rings.sample(1000, random_stream(0)).norm(dim=1)
    assert bool(torch.minimum((radii - 1).abs(), (radii - 0.5).abs()).max() < 1e-6)
    assert rings.log_density(torch.zeros(1, 2)) is None
    roll = SwissRoll(0.0).sample(1000, random_stream(0))
    angle = roll.norm(dim=1) * 15
    assert bool((torch.atan2(roll[:, 1], roll[:, 0]) - angle).cos().min() > 1 - 1e-5)


def test_narrow_components_and_rings_keep_their_density():
    narrow = Mixture([1.0], [[0.0, 0.0]], [[[1.0, 0.99999999], [0.99999999, 1.0]]])
    assert bool(torch.isfinite(narrow.log_density(narrow.sample(100, random_stream(0)))).all())
    thin = Rings((1.0,), 1e-6)
    at_the_ring = float(thin.log_density(torch.tensor([[1.0, 0.0]])))
    assert at_the_ring == pytest.approx(-math.log((2 * math.pi) ** 1.5 * 1e-6), abs=1e-3)


def test_a_picture_is_sampled_where_it_is_bright():
    """The first row of a picture is on top, the longer side goes from -1 to 1."""
    samples = PICTURE.sample(10_000, random_stream(0))
    third = 2 / 3
    assert float(samples[:, 0].abs().max()) <= 1
    assert float(samples[:, 1].abs().max()) <= third
    top_middle = (samples[:, 0].abs() < third / 2) & (samples[:, 1] > 0)
    assert float(top_middle.float().mean()) == pytest.approx(5 / 12, abs=0.02)
    truth = math.log(5 / 12 / third**2)
    found = PICTURE.log_density(torch.tensor([[0.0, 0.1], [0.0, -0.1], [0.0, 3.0]]))
    assert float(found[0]) == pytest.approx(truth)
    assert found[1:].tolist() == [-math.inf, -math.inf]


def test_batches_are_fresh_and_a_function_of_their_place():
    data = FreshBatches(Moons(0.1), 8, 3, 0, torch.device("cpu"))
    again = FreshBatches(Moons(0.1), 8, 3, 0, torch.device("cpu"))
    seen = [data.batch(epoch, index) for epoch in range(2) for index in range(3)]
    points = torch.cat([*seen, *held_out(Moons(0.1), 20, 20, 0)])
    assert len(points.unique(dim=0)) == len(points)
    assert torch.equal(again.batch(1, 2), seen[-1])
    other = FreshBatches(Moons(0.1), 8, 3, 1, torch.device("cpu"))
    assert not torch.equal(other.batch(1, 2), seen[-1])
    with pytest.raises(IndexError):
        data.batch(0, 3)
