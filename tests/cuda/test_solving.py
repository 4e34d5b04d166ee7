"""Solves on a GPU are those on the CPU: values, gradients and what they cost."""

from dataclasses import replace

import pytest
import torch
from solving.problems import Network

import node_cli
from node_cli.methods import METHODS
from node_cli.solving import SolveSpec, solve
from node_cli.tasks.dynamics.hamiltonian import SeparableField

pytestmark = pytest.mark.cuda

T = torch.tensor([0.0, 0.4, 1.0, 1.0], dtype=torch.float64)
OURS = [name for name, method in METHODS.items() if method.kind != "scipy" and not method.needs]
SYMPLECTIC = [name for name, method in METHODS.items() if method.needs]
SCIPY = [name for name, method in METHODS.items() if method.kind == "scipy"]
MODES = ("direct", "full", "seminorm", "checkpointed")
PAIRS = [
    (name, mode)
    for name in OURS
    for mode in MODES
    if mode != "checkpointed" or METHODS[name].one_step
]


def spec_of(name, **settings):
    """As tight as the order allows in some hundred steps."""
    if METHODS[name].kind == "fixed":
        return SolveSpec(method=name, num_steps=20, **settings)
    tolerance = 1e-5 if name in ("adaptive_heun", "fehlberg2", "bosh3") else 1e-8
    return SolveSpec(method=name, rtol=tolerance, atol=tolerance, **settings)


def solved(spec, device, times=T):
    """Values, gradients of the start and the weights, all on the CPU, and the counts."""
    field = Network().to(device)
    y0 = torch.linspace(-1, 1, 10, dtype=torch.float64, device=device).reshape(5, 2)
    y0.requires_grad_()
    solution = solve(field, y0, times.to(device), spec)
    assert solution.values.device.type == device
    gradients = torch.autograd.grad(solution.values.square().sum(), (y0, *field.parameters()))
    return [part.detach().cpu() for part in (solution.values, *gradients)], solution.stats


@pytest.mark.parametrize(("name", "mode"), PAIRS)
def test_every_method_and_mode(name, mode):
    spec = spec_of(name, adjoint=mode)
    (on_cpu, counts), (on_cuda, counts_on_cuda) = (solved(spec, d) for d in ("cpu", "cuda"))
    assert counts_on_cuda == counts
    for found, wanted in zip(on_cuda, on_cpu, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["dopri5", "rk4", "implicit_adams"])
@pytest.mark.parametrize("mode", ["direct", "full"])
def test_torchdiffeq_as_the_backend(name, mode):
    spec = replace(spec_of(name), adjoint=mode, backend="torchdiffeq")
    (on_cpu, counts), (on_cuda, counts_on_cuda) = (solved(spec, d, T[:3]) for d in ("cpu", "cuda"))
    assert counts_on_cuda == counts
    for found, wanted in zip(on_cuda, on_cpu, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", SCIPY)
def test_scipy(name):
    spec = SolveSpec(method=name, rtol=1e-8, atol=1e-8, adjoint="full")
    (on_cpu, _), (on_cuda, _) = (solved(spec, d, T[:3]) for d in ("cpu", "cuda"))
    for found, wanted in zip(on_cuda, on_cpu, strict=True):
        # Its steps may turn on the last bit of a number.
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_tuple_of_states_and_times_from_a_list():
    def field(t, state):
        return -state[0], state[0].sum(dim=1)

    y0 = torch.ones(3, 2, dtype=torch.float64, device="cuda")
    solution = node_cli.solve(field, (y0, y0.new_zeros(3)), [0.0, 1.0], rtol=1e-9, atol=1e-9)
    y, total = (part[-1] for part in solution.values)
    decayed = torch.exp(-torch.ones(()).double())
    torch.testing.assert_close(y.cpu(), decayed.expand(3, 2))
    torch.testing.assert_close(total.cpu(), (2 - 2 * decayed).expand(3))


def test_a_tight_tolerance_is_met_in_single_precision():
    """Nothing in a solve is rounded to less than its state."""
    counts = []
    for device in ("cpu", "cuda"):
        field = Network(torch.float32).to(device)
        y0 = torch.linspace(-1, 1, 10, device=device).reshape(5, 2)
        counts.append(solve(field, y0, T.to(y0), SolveSpec(rtol=1e-6, atol=1e-7)).stats)
    assert counts[1].nfe_forward <= 1.2 * counts[0].nfe_forward


@pytest.mark.parametrize("mode", ["direct", "checkpointed"])
@pytest.mark.parametrize("name", SYMPLECTIC)
def test_symplectic_methods(name, mode):
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        field = SeparableField(4, (8,), "tanh").double().to(device)
        y0 = torch.linspace(-1.0, 1.0, 12, dtype=torch.float64).view(3, 4).to(device)
        y0.requires_grad_()
        solution = solve(field, y0, T.to(device), spec_of(name, adjoint=mode))
        solution.values[-1].square().sum().backward()
        weight = field.kinetic.layers[0].weight.grad
        found.append([part.detach().cpu() for part in (solution.values, y0.grad, weight)])
    for on_cuda, on_cpu in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(on_cuda, on_cpu, rtol=1e-9, atol=1e-11)
