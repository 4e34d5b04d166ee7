"""Controlled differential equations: a given path in the place of the Brownian motion."""

import pytest
import torch

pytest.importorskip("torchsde")

from node_cli.methods import SDE_METHODS
from node_cli.solving.sde import DrivingPath, SdeSpec, solve_sde

TIMES = (0.0, 1.0, 2.0, 3.0)
STRATONOVICH = sorted(m.name for m in SDE_METHODS.values() if m.calculus == "stratonovich")


class Exponential:
    """dy = y dx, which is y(0) exp(x - x(0))."""

    calculus, noise, noise_size = "stratonovich", "general", 1

    def drift(self, t, y):
        return torch.zeros_like(y)

    def diffusion(self, t, y):
        return y.unsqueeze(-1)


def values():
    stream = torch.Generator().manual_seed(0)
    return torch.randn(4, 5, 1, dtype=torch.float64, generator=stream)


def test_increments_are_linear_between_the_points():
    path = DrivingPath(TIMES, values())
    assert path.size() == path.shape == (5, 1)
    torch.testing.assert_close(
        path(0.5, 2.25),
        torch.lerp(values()[2], values()[3], 0.25) - torch.lerp(values()[0], values()[1], 0.5),
    )
    assert torch.equal(path(1.0 + 1e-12, 3.0), values()[3] - values()[1])
    for a, b in ((-0.5, 1.0), (1.0, 3.5)):
        with pytest.raises(ValueError, match="outside of the path"):
            path(a, b)


@pytest.mark.parametrize("method", [name for name in STRATONOVICH if "milstein" not in name])
def test_a_solve_converges_to_the_closed_solution(method):
    x = values()
    y0 = torch.ones(5, 1, dtype=torch.float64)
    true = (x[-1] - x[0]).exp()
    errors = []
    for steps in (16, 64):
        spec = SdeSpec(method, step_size=1 / steps)
        solution = solve_sde(Exponential(), y0, TIMES, spec, DrivingPath(TIMES, x))
        errors.append(float(((solution.values[-1] - true) / true).abs().max()))
    assert errors[1] < errors[0] / 10  # of second order on a path that is smooth between points
    assert errors[1] < 2e-3


def test_the_path_has_gradients_and_second_ones():
    x = values().requires_grad_()
    y0 = torch.ones(5, 1, dtype=torch.float64)
    spec = SdeSpec("stratonovich-reversible_heun", step_size=1 / 64)
    solved = solve_sde(Exponential(), y0, TIMES, spec, DrivingPath(TIMES, x)).values[-1]
    (first,) = torch.autograd.grad(solved.sum(), x, create_graph=True)
    torch.testing.assert_close(first[-1], solved, rtol=2e-2, atol=0)
    torch.testing.assert_close(first[0], -solved, rtol=2e-2, atol=0)
    (second,) = torch.autograd.grad(first[-1].sum(), x)
    torch.testing.assert_close(second[-1], solved, rtol=4e-2, atol=0)


def test_adaptive_steps_take_no_path():
    spec = SdeSpec("stratonovich-midpoint", step_size=0.1, adaptive=True)
    with pytest.raises(ValueError, match="adaptive steps take the seed of a path"):
        solve_sde(Exponential(), torch.ones(5, 1), TIMES, spec, DrivingPath(TIMES, values()))
