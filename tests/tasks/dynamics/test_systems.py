"""The equations that trajectories are made of, against what is known of them."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from node_cli.data.random_streams import random_stream
from node_cli.errors import DataError
from node_cli.tasks.dynamics.systems import system_of
from node_cli.tasks.dynamics.trajectories import make_trajectories, trajectories_of

PLANAR = ["spiral", "lotka-volterra", "van-der-pol", "damped-oscillator"]
MECHANICAL = ["mass-spring", "pendulum", "double-pendulum", "two-body", "three-body"]


@pytest.fixture
def system(config_of):
    def system(name, *settings):
        return system_of(config_of("task=dynamics", f"data={name}", *settings).data)

    return system


def starts_of(system, count=3):
    return system.starts(count, random_stream(0, 1))


@pytest.mark.parametrize("name", [*PLANAR, *MECHANICAL, "lorenz"])
def test_a_system_has_as_many_values_as_its_settings_say(config_of, name):
    data = config_of("task=dynamics", f"data={name}").data
    system = system_of(data)
    y = starts_of(system)
    assert y.shape == (3, len(system.columns)) == (3, data.dimensions)
    assert system.derivative(y).shape == y.shape
    assert np.isfinite(system.derivative(y)).all()


@pytest.mark.parametrize("coordinates", ["momenta", "velocities"])
@pytest.mark.parametrize("name", MECHANICAL)
def test_energy_is_conserved(system, name, coordinates):
    made = system(name, f"data.coordinates={coordinates}")
    path = trajectories_of(made, starts_of(made), np.linspace(0.0, 3.0, 20))
    energy = made.energy(path)
    assert abs(energy - energy[:, :1]).max() < 1e-8 * abs(energy).max()


def test_prey_and_predators_keep_their_constant(system):
    made = system("lotka-volterra")
    energy = made.energy(trajectories_of(made, starts_of(made), np.linspace(0.0, 20.0, 30)))
    assert abs(energy - energy[:, :1]).max() < 1e-8
    assert made.energy(np.array([-1.0, 1.0])) == np.inf


@pytest.mark.parametrize("name", MECHANICAL)
def test_momenta_obey_hamiltons_equations(system, name):
    """By differences of the energy."""
    made = system(name, "data.coordinates=momenta")
    y = starts_of(made)
    n = y.shape[1] // 2
    step = 1e-6
    slopes = np.stack(
        [
            (made.energy(y + step * e) - made.energy(y - step * e)) / (2 * step)
            for e in np.eye(2 * n)
        ],
        axis=-1,
    )
    expected = np.concatenate((slopes[:, n:], -slopes[:, :n]), axis=1)
    np.testing.assert_allclose(made.derivative(y), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MECHANICAL)
def test_velocities_and_momenta_are_one_motion(system, name):
    times = np.linspace(0.0, 1.0, 5)
    paths = []
    for coordinates in ("momenta", "velocities"):
        made = system(name, f"data.coordinates={coordinates}")
        paths.append(trajectories_of(made, starts_of(made), times))
    half = paths[0].shape[-1] // 2
    np.testing.assert_allclose(paths[0][..., :half], paths[1][..., :half], atol=1e-8)


@pytest.mark.parametrize("name", [*PLANAR, "pendulum", "lorenz"])
def test_trajectories_are_those_of_another_solver(system, name):
    made = system(name)
    starts, times = starts_of(made), np.linspace(0.0, 2.0, 9)
    path = trajectories_of(made, starts, times)
    for start, ours in zip(starts, path, strict=True):
        other = solve_ivp(
            lambda t, y: made.derivative(y), (0.0, 2.0), start, "LSODA", times,
            rtol=1e-11, atol=1e-11,
        )  # fmt: skip
        np.testing.assert_allclose(ours, other.y.T, atol=1e-7)


def test_the_springs_of_the_paper(system):
    y = np.array([0.3, -0.4])
    assert system("mass-spring").energy(y) == pytest.approx(0.3**2 + 0.4**2)
    assert system("pendulum").energy(y) == pytest.approx(3 * (1 - np.cos(0.3)) + 0.4**2)


def test_two_bodies_on_a_circle_stay_on_it(system):
    made = system("two-body", "data.scatter=0", "data.masses=[1.0,3.0]")
    path = trajectories_of(made, starts_of(made), np.linspace(0.0, 5.0, 11))
    places = path[..., :4].reshape(3, 11, 2, 2)
    apart = np.linalg.norm(places[:, :, 0] - places[:, :, 1], axis=-1)
    np.testing.assert_allclose(apart, np.broadcast_to(apart[:, :1], apart.shape), rtol=1e-8)
    centre = np.average(places, axis=2, weights=[1.0, 3.0])
    np.testing.assert_allclose(centre, 0.0, atol=1e-9)


def test_observations_are_the_truth_and_noise(config_of):
    data = config_of("task=dynamics", "data=pendulum", "data.noise=0.1", "data.horizon=3").data
    train, validation, test = make_trajectories(data, system_of(data), seed=1)
    assert (len(train), len(validation), len(test)) == (25, 10, 25)
    assert train.times.shape == (25, 46)
    assert test.times.shape == (25, 136)
    assert not train.beyond.any()
    assert test.beyond.sum(dim=1).eq(90).all()
    noise = torch.cat([(part.states - part.truth).flatten() for part in (train, test)])
    assert float(noise.std()) == pytest.approx(0.1, rel=0.05)
    assert train.times[0, -1] == pytest.approx(3.0)
    again = make_trajectories(data, system_of(data), seed=1)[0]
    assert again.states.equal(train.states)
    assert not make_trajectories(data, system_of(data), seed=2)[0].truth.equal(train.truth)


def test_a_forced_oscillator_follows_its_equation(config_of):
    words = ("data.mu=2", "data.forcing=1.5", "data.frequency=0.7", "data.loss=derivative")
    data = config_of("task=dynamics", "data=van-der-pol", *words).data
    part = make_trajectories(data, system_of(data), seed=1)[1]
    assert part.states.shape[-1] == 2
    x, v = part.truth.unbind(dim=-1)
    force = 1.5 * torch.cos(0.7 * part.times)
    expected = torch.stack((v, 2 * (1 - x**2) * v - x + force), dim=-1)
    torch.testing.assert_close(part.derivatives, expected, rtol=1e-4, atol=1e-4)
    # The derivatives belong to the trajectory: their integral is its change.
    change = torch.cumulative_trapezoid(part.derivatives, part.times.unsqueeze(-1), dim=1)
    torch.testing.assert_close(
        change[:, -1], part.truth[:, -1] - part.truth[:, 0], rtol=0, atol=0.1
    )


@pytest.mark.parametrize("name", ["van-der-pol", "damped-oscillator"])
def test_positions_alone_are_the_first_half_of_a_state(config_of, name):
    def made(*words):
        data = config_of("task=dynamics", f"data={name}", *words).data
        return make_trajectories(data, system_of(data), seed=1)[0]

    whole, positions = made(), made("data.observed=positions")
    assert positions.states.shape[-1] == 1
    assert positions.states.equal(whole.states[..., :1])


def test_a_system_that_takes_too_long_is_told(system):
    spiral = system("spiral")
    with pytest.raises(DataError, match=r"more than 100 evaluations .* a smaller data.span"):
        trajectories_of(spiral, starts_of(spiral), np.linspace(0.0, 100.0, 3), most=100)


def test_a_system_that_runs_away_is_told(system):
    """x' = x^2 is infinite at t = 1."""
    spiral = system("spiral")
    spiral.derivative = np.square
    with pytest.raises(DataError, match="cannot be computed beyond t = "):
        trajectories_of(spiral, np.ones((1, 2)), np.linspace(0.0, 2.0, 3))
