"""Solvers of SDEs against closed solutions, with the standard errors of what is estimated."""

import math

import pytest
import torch
from solving.sde.sdes import GeometricBrownian, OrnsteinUhlenbeck, Rotating, ones

from node_cli.methods import SDE_METHODS
from node_cli.solving.sde import BrownianGrid, SdeSpec, solve_sde

pytest.importorskip("torchsde")

PATHS, GROUPS = 2000, 20
STEPS = (64, 128, 256)
# What the next term of an error, which these steps are not yet short enough for, adds to a slope.
NEXT_TERM = 0.04
NOISES = {
    "diagonal": GeometricBrownian,
    "additive": lambda calculus: OrnsteinUhlenbeck(calculus, "additive"),
    "scalar": lambda calculus: OrnsteinUhlenbeck(calculus, "scalar"),
    "general": Rotating,
}


@pytest.fixture(scope="module")
def path():
    points = [i / STEPS[-1] for i in range(STEPS[-1] + 1)]
    return BrownianGrid(points, (PATHS, 1), 5, torch.float64, levy_areas=True)


def errors_of(name, mu, sigma, path):
    """Of geometric Brownian motion at time 1, ``[steps, groups, paths]``, on the same paths."""
    sde = GeometricBrownian(SDE_METHODS[name].calculus, mu, sigma)
    exact = sde.solution(1.0, path(0.0, 1.0))
    with torch.no_grad():
        ends = [
            solve_sde(sde, ones(PATHS), [0.0, 1.0], SdeSpec(name, num_steps=steps), path).values[-1]
            for steps in STEPS
        ]
    return torch.stack([(end - exact).reshape(GROUPS, -1) for end in ends])


def slope_of(errors):
    """The order that errors ``[steps, groups]`` show, and its standard error over the groups."""
    x = torch.tensor(STEPS, dtype=torch.float64).log2()
    x = (x - x.mean()).unsqueeze(1)
    slopes = -(errors.log2() * x).sum(dim=0) / x.square().sum()
    return float(slopes.mean()), float(slopes.std()) / math.sqrt(GROUPS)


@pytest.mark.parametrize("name", SDE_METHODS)
def test_strong_orders_on_geometric_brownian_motion(name, path):
    order = SDE_METHODS[name].strong_orders["diagonal"]
    slope, error = slope_of(errors_of(name, 0.5, 0.8, path).abs().mean(dim=2))
    assert slope > order - 3 * error - NEXT_TERM
    # Its order for diagonal noise is not known but for this bound; here it is one of order 1.
    known = 1.0 if name == "stratonovich-reversible_heun" else order
    assert slope == pytest.approx(known, abs=3 * error + NEXT_TERM)
    assert error < 0.03


@pytest.mark.parametrize("name", SDE_METHODS)
def test_weak_orders_on_geometric_brownian_motion(name, path):
    # The mean error on the paths of the exact solution, which has the same mean and less variance.
    slope, error = slope_of(errors_of(name, 1.0, 0.1, path).mean(dim=2).abs())
    order = SDE_METHODS[name].weak_order
    assert slope > order - 3 * error - NEXT_TERM
    if SDE_METHODS[name].strong_orders["diagonal"] <= 1 and "euler" in name:
        assert slope == pytest.approx(order, abs=3 * error + NEXT_TERM)  # as Euler's for an ODE


@pytest.mark.parametrize("noise", ["diagonal", "additive", "scalar"])
def test_moments_of_ornstein_uhlenbeck(noise):
    paths, steps, time = 20_000, 20, 1.2
    sde = OrnsteinUhlenbeck(noise=noise)
    h, theta, center = time / steps, float(sde.theta.detach()), float(sde.center.detach())
    powers = [(1 - theta * h) ** k for k in range(steps + 1)]
    of_euler = (
        center + (1 - center) * powers[-1],
        sde.sigma**2 * h * sum(power**2 for power in powers[:-1]),
    )
    for name, (mean, variance) in {
        "ito-srk": sde.moments(1.0, time),
        "ito-euler": of_euler,
        "ito-milstein": of_euler,
    }.items():
        with torch.no_grad():
            spec = SdeSpec(name, num_steps=steps)
            ends = solve_sde(sde, ones(paths), [0.0, 0.6, time], spec, 11).values[-1]
        assert float(ends.mean()) == pytest.approx(mean, abs=4 * math.sqrt(variance / paths))
        assert float(ends.var()) == pytest.approx(variance, rel=4 * math.sqrt(2 / paths))


def gradients(sde, spec, size, path_kl=False):
    y0 = ones(4, size).requires_grad_()
    solution = solve_sde(sde, y0, [0.0, 0.4, 1.0], spec, 7, path_kl=path_kl)
    loss = solution.values.square().mean()
    if path_kl:
        loss = loss + solution.path_kl[-1].mean()
    given = torch.autograd.grad(loss, [y0, *sde.parameters()], allow_unused=True)
    return torch.cat([g.flatten() for g in given if g is not None])


@pytest.mark.parametrize(
    ("name", "noise"),
    [(name, noise) for name, method in SDE_METHODS.items() for noise in method.noises],
)
def test_gradients_of_the_adjoint_are_those_of_the_solver_on_the_same_path(name, noise):
    sde = NOISES[noise](SDE_METHODS[name].calculus)
    size = 2 if noise == "general" else 1
    differences = []
    for steps in (16, 160):
        direct, full = (
            gradients(sde, SdeSpec(name, num_steps=steps, adjoint=mode), size)
            for mode in ("direct", "full")
        )
        differences.append(float((direct - full).norm() / direct.norm()))
    if name == "stratonovich-reversible_heun":
        assert max(differences) < 1e-12
    else:
        assert differences[1] < 0.05
        assert differences[1] < 0.7 * differences[0]


@pytest.mark.parametrize("name", SDE_METHODS)
def test_direct_gradients_are_right(name):
    sde = GeometricBrownian(SDE_METHODS[name].calculus)

    def end(y0, mu, sigma):
        weights = {"sde.mu": mu, "sde.sigma": sigma}
        return torch.func.functional_call(Solved(sde, name), weights, (y0,))

    arguments = (ones(2).requires_grad_(), sde.mu, sde.sigma)
    assert torch.autograd.gradcheck(end, arguments)


class Solved(torch.nn.Module):
    def __init__(self, sde, name):
        super().__init__()
        self.sde, self.spec = sde, SdeSpec(name, num_steps=3)

    def forward(self, y0):
        return solve_sde(self.sde, y0, [0.0, 1.0], self.spec, 1).values[-1]


@pytest.mark.parametrize("noise", ["diagonal", "additive"])
def test_the_kl_of_paths_is_that_of_two_ornstein_uhlenbeck_processes(noise):
    paths, time = 10_000, 1.0
    sde = OrnsteinUhlenbeck("stratonovich", noise)
    spec = SdeSpec("stratonovich-midpoint", num_steps=40)
    # Of the same theta: u = theta (m - m') / sigma is constant, and so is the KL of every path.
    with torch.no_grad():
        kl = solve_sde(sde, ones(5), [0.0, 0.5, time], spec, 3, path_kl=True).path_kl
    rate = 0.5 * (1.5 * 0.3 / 0.7) ** 2
    assert torch.allclose(kl, torch.tensor([[0.0], [0.5 * rate], [rate]]).double().expand(3, 5))
    # Of another theta it varies, and its mean is an integral of moments.
    sde.prior = (0.4, -0.2)
    with torch.no_grad():
        kl = solve_sde(sde, ones(paths), [0.0, time], spec, 3, path_kl=True).path_kl[-1]
    a, b = 1.5 * 0.3 + 0.4 * 0.2, 0.4 - 1.5
    ends = [i * time / 1000 for i in range(1001)]
    rates = torch.tensor(
        [
            0.5 * (a**2 + 2 * a * b * mean + b**2 * (mean**2 + variance)) / sde.sigma**2
            for mean, variance in (sde.moments(1.0, t) for t in ends)
        ]
    )
    closed = float(torch.trapezoid(rates, torch.tensor(ends)))
    assert float(kl.mean()) == pytest.approx(closed, abs=3 * float(kl.std()) / math.sqrt(paths))
    assert float(kl.std()) / math.sqrt(paths) < 0.01 * closed


def test_gradients_of_the_kl_by_the_adjoint():
    sde = OrnsteinUhlenbeck("stratonovich")
    sde.prior = (0.4, -0.2)
    direct, full = (
        gradients(sde, SdeSpec("stratonovich-reversible_heun", num_steps=9, adjoint=mode), 1, True)
        for mode in ("direct", "full")
    )
    assert torch.allclose(direct, full, rtol=1e-10)


def test_adaptive_steps_come_nearer_with_the_tolerance():
    sde = GeometricBrownian("ito", 0.5, 0.5)
    found = []
    for tolerance in (1e-2, 1e-3, 1e-5):
        spec = SdeSpec("ito-srk", step_size=0.1, adaptive=True, rtol=tolerance, atol=tolerance)
        with torch.no_grad():
            found.append(solve_sde(sde, ones(3000), [0.0, 1.0], spec, 4))
    # Each on other paths: what is compared is the mean of the solution, exp(mu t).
    for solution in found[1:]:
        ends = solution.values[-1]
        assert float(ends.mean()) == pytest.approx(math.exp(0.5), abs=3 * float(ends.std()) / 54.7)
    steps = [solution.stats.steps_accepted for solution in found]
    assert steps == sorted(steps)
    assert steps[-1] > 2 * steps[0]
