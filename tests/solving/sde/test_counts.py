"""What a solve of an SDE costs is counted exactly, drift and diffusion apart."""

from dataclasses import replace

import pytest
import torch
from solving.sde.sdes import GeometricBrownian, OrnsteinUhlenbeck, ones

from node_cli.errors import SolverError
from node_cli.methods import SDE_METHODS
from node_cli.solving import record_solves
from node_cli.solving.sde import SdeSpec, solve_sde

pytest.importorskip("torchsde")

# Of a step: drift and diffusion.
EVALUATIONS = {
    "ito-euler": (1, 1),
    "ito-milstein": (1, 1),
    "ito-srk": (4, 4),
    "stratonovich-euler_heun": (1, 2),
    "stratonovich-heun": (2, 2),
    "stratonovich-midpoint": (2, 2),
    "stratonovich-milstein": (1, 1),
    "stratonovich-reversible_heun": (1, 1),
}


class Watched(GeometricBrownian):
    """One that counts by itself."""

    def __init__(self, calculus):
        super().__init__(calculus)
        self.calls = {"drift": 0, "diffusion": 0}

    def drift(self, t, y):
        self.calls["drift"] += 1
        return super().drift(t, y)

    def diffusion(self, t, y):
        self.calls["diffusion"] += 1
        return super().diffusion(t, y)


@pytest.mark.parametrize("name", SDE_METHODS)
@pytest.mark.parametrize("adjoint", ["direct", "full"])
def test_every_evaluation_is_counted_and_none_is_made_for_nothing(name, adjoint):
    sde = Watched(SDE_METHODS[name].calculus)
    # Intervals of 3 and 4 steps, each of which is met although neither is a sum of floats of them.
    spec = SdeSpec(name, step_size=0.1, adjoint=adjoint)
    with record_solves() as solves:
        solution = solve_sde(sde, ones(2), [0.0, 0.3, 0.7], spec, path=1)
    drift, diffusion = EVALUATIONS[name]
    first = name == "stratonovich-reversible_heun"  # which evaluates the start once
    stats = solution.stats
    assert solves == [stats]
    assert (stats.nfe_drift, stats.nfe_diffusion) == (7 * drift + first, 7 * diffusion + first)
    assert stats.nfe_forward == stats.nfe_drift + stats.nfe_diffusion
    assert sde.calls == {"drift": stats.nfe_drift, "diffusion": stats.nfe_diffusion}
    assert (stats.steps_accepted, stats.backward_steps_accepted) == (7, 0)
    solution.values.sum().backward()
    assert stats.backward_steps_accepted == (7 if adjoint == "full" else 0)
    assert stats.nfe_backward == stats.nfe_drift_backward + stats.nfe_diffusion_backward
    assert (stats.nfe_backward > 0) == (adjoint == "full")
    assert sum(sde.calls.values()) == stats.nfe_forward + stats.nfe_backward


@pytest.mark.parametrize("name", ["ito-milstein", "stratonovich-heun"])
@pytest.mark.parametrize("adjoint", ["direct", "full"])
def test_adaptive_steps_are_counted_with_those_thrown_away(name, adjoint):
    sde = Watched(SDE_METHODS[name].calculus)
    spec = SdeSpec(
        name, step_size=0.5, adaptive=True, rtol=1e-3, atol=1e-3, adjoint=adjoint, backward_rtol=1.0
    )
    solution = solve_sde(sde, ones(2), [0.0, 0.5, 1.0], spec, path=2)
    solution.values.sum().backward()
    stats, (drift, _) = solution.stats, EVALUATIONS[name]
    attempts = stats.steps_accepted + stats.steps_rejected
    assert stats.steps_rejected > 0
    assert stats.steps_accepted >= 2
    assert stats.nfe_drift == 3 * drift * attempts
    backward = stats.backward_steps_accepted + stats.backward_steps_rejected
    assert (backward > 0) == (adjoint == "full")
    assert sum(sde.calls.values()) == stats.nfe_forward + stats.nfe_backward


def test_the_kl_of_a_path_shares_the_diffusion_with_the_step():
    spec = SdeSpec("ito-euler", num_steps=5)
    stats = solve_sde(OrnsteinUhlenbeck(), ones(2), [0.0, 1.0], spec, 3, path_kl=True).stats
    assert (stats.nfe_drift, stats.nfe_diffusion) == (10, 5)  # the prior's drift is one


def test_limits_end_a_solve_in_words():
    spec = SdeSpec("ito-milstein", num_steps=10, adjoint="full")
    with pytest.raises(SolverError, match=r"forward solve stopped at t = 0.2: .* solver.max_nfe=5"):
        solve_sde(GeometricBrownian(), ones(2), [0.0, 1.0], replace(spec, max_nfe=5), 1)
    solution = solve_sde(GeometricBrownian(), ones(2), [0.0, 1.0], replace(spec, max_nfe=20), 1)
    with pytest.raises(SolverError, match=r"backward solve stopped .* solver.max_nfe=20"):
        solution.values.sum().backward()
    adaptive = SdeSpec("ito-milstein", step_size=0.5, adaptive=True, rtol=1e-9, atol=1e-9)
    with pytest.raises(SolverError, match=r"more steps than solver.max_steps=9 allows"):
        solve_sde(GeometricBrownian(), ones(2), [0.0, 1.0], replace(adaptive, max_steps=9), 1)
    with pytest.raises(SolverError, match=r"step size fell to zero"):
        solve_sde(GeometricBrownian(), ones(2), [0.0, 1.0], replace(adaptive, min_step=1e-2), 1)
    direct = SdeSpec("ito-euler", num_steps=100, max_saved_bytes=1000)
    with pytest.raises(SolverError, match=r"Ways out: adjoint=full"):
        solve_sde(GeometricBrownian(), ones(20), [0.0, 1.0], direct, 1)


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_state_that_leaves_the_finite_numbers_is_told(adaptive):
    class Exploding(GeometricBrownian):
        def drift(self, t, y):
            return y**9

    spec = SdeSpec("ito-milstein", step_size=0.1, adaptive=adaptive)
    with torch.no_grad(), pytest.raises(SolverError, match=r"finite"):
        solve_sde(Exploding(), 3 * ones(2), [0.0, 1.0, 2.0], spec, 1)
