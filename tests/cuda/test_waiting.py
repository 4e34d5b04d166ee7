"""How often the host waits for the GPU in a solve."""

import warnings

import pytest
import torch
from solving.problems import Network

from node_cli.solving import SolveSpec, solve

pytestmark = pytest.mark.cuda

# In a solve and its gradient: the times, first steps, and whether all is finite.
ONCE = 10


def waits(spec, outputs=12):
    """Of a solve and its gradient, with its stats; the second one, as in training."""
    field = Network().to("cuda")
    y0 = torch.ones(5, 2, dtype=torch.float64, device="cuda", requires_grad=True)
    t = torch.linspace(0, 4, outputs, dtype=torch.float64)
    for _ in range(2):
        torch.cuda.synchronize()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                solution = solve(field, y0, t, spec)
                solution.values.square().sum().backward()
            finally:
                torch.cuda.set_sync_debug_mode("default")
    told = "called a synchronizing CUDA operation"
    return sum(told in str(one.message) for one in caught), solution.stats


@pytest.mark.parametrize("mode", ["direct", "checkpointed"])
@pytest.mark.parametrize("compiled", ["off", "step"])
def test_not_in_given_steps(mode, compiled):
    found = {
        waits(SolveSpec(method="rk4", num_steps=steps, adjoint=mode, compile=compiled))[0]
        for steps in (11, 55)
    }
    assert len(found) == 1
    assert 0 < found.pop() <= ONCE


@pytest.mark.parametrize("mode", ["direct", "checkpointed", "full", "seminorm"])
@pytest.mark.parametrize("compiled", ["off", "step"])
def test_once_in_an_attempt_of_a_step(mode, compiled):
    count, stats = waits(SolveSpec(rtol=1e-7, atol=1e-8, adjoint=mode, compile=compiled))
    attempts = stats.steps_accepted + stats.steps_rejected
    attempts += stats.backward_steps_accepted + stats.backward_steps_rejected
    assert attempts > ONCE
    assert attempts <= count <= attempts + ONCE
