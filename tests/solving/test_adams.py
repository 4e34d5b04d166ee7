import math

import numpy as np
import pytest
import torch
from solving.problems import PROBLEMS

from node_cli.solving import SolveSpec, solve
from node_cli.solving.adams import integration_weights

SINE = next(problem for problem in PROBLEMS if problem.name == "sine")


@pytest.mark.parametrize("count", range(1, 14))
def test_weights_integrate_polynomials_exactly(count):
    generator = np.random.default_rng(count)
    nodes = np.cumsum(-generator.uniform(0.5, 1.5, count)) + 1.0
    polynomial = np.polynomial.Polynomial(generator.normal(size=count))
    integral = polynomial.integ()
    weights = integration_weights(nodes.tolist(), 0.3, 1.1)
    exact = integral(1.1) - integral(0.3)
    scale = max(1.0, np.abs(weights) @ np.abs(polynomial(nodes)))
    assert abs(np.dot(weights, polynomial(nodes)) - exact) < 1e-11 * scale


def test_weights_of_equal_steps_are_those_of_bashforth_and_moulton():
    explicit = integration_weights([0.0, -1.0, -2.0, -3.0], 0.0, 1.0)
    np.testing.assert_allclose(explicit, np.array([55, -59, 37, -9]) / 24, rtol=1e-12)
    implicit = integration_weights([1.0, 0.0, -1.0, -2.0], 0.0, 1.0)
    np.testing.assert_allclose(implicit, np.array([9, 19, -5, 1]) / 24, rtol=1e-12)


@pytest.mark.parametrize("method", ["explicit_adams", "implicit_adams"])
@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
def test_halving_the_step_shows_the_order_also_across_unequal_intervals(method, order):
    t = torch.tensor([0.0, 1.7, 4.0], dtype=torch.float64)
    errors = []
    for steps in (80, 160):
        spec = SolveSpec(method=method, num_steps=steps, order=order)
        last = solve(SINE.field, SINE.y0, t, spec).values[-1]
        errors.append((last - SINE.exact(SINE.y0, t[0], t[-1])).abs().max().item())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.5)


def test_evaluations_a_step_are_one_and_two():
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    for method, expected in (("explicit_adams", 3 * 4 + 17), ("implicit_adams", 2 * 4 + 2 * 18)):
        spec = SolveSpec(method=method, num_steps=20, order=4)
        stats = solve(SINE.field, SINE.y0, t, spec).stats
        assert stats.nfe_forward == expected
        assert stats.steps_accepted == 20


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8, 1e-10])
def test_adams_adapts_to_the_tolerance(tolerance):
    t = torch.tensor([0.0, 3.3, 10.0], dtype=torch.float64)
    spec = SolveSpec(method="adams", rtol=tolerance, atol=tolerance)
    solution = solve(SINE.field, SINE.y0, t, spec)
    exact = torch.stack([SINE.exact(SINE.y0, t[0], s) for s in t])
    assert (solution.values - exact).abs().max() < 100 * tolerance
    stats = solution.stats
    # Two evaluations a step, of which the last step's second is not needed, an evaluation after
    # a rejected step, and one to choose the first step.
    assert stats.nfe_forward <= 2 * (stats.steps_accepted + stats.steps_rejected) + 1


def test_adams_takes_fewer_evaluations_than_dopri5_where_the_tolerance_is_tight():
    t = torch.tensor([0.0, 10.0], dtype=torch.float64)
    counts = {
        method: solve(
            SINE.field, SINE.y0, t, SolveSpec(method=method, rtol=1e-9, atol=1e-9)
        ).stats.nfe_forward
        for method in ("adams", "dopri5")
    }
    assert counts["adams"] < counts["dopri5"] / 2
