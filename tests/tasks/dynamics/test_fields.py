"""Fields that conserve something, and the derivatives that they are made of."""

import pytest
import torch
from torch.func import grad, hessian, jacrev, vmap

from node_cli.tasks.dynamics.hamiltonian import HamiltonianField, SeparableField
from node_cli.tasks.dynamics.lagrangian import LagrangianField
from node_cli.tasks.dynamics.scalar_network import ScalarNetwork

T = torch.tensor(0.0, dtype=torch.float64)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("hidden", [(5,), (6, 4), (3, 5, 4)])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_the_derivatives_of_a_network_are_those_of_autograd(hidden, activation):
    network = ScalarNetwork(4, hidden, activation).double()
    x = torch.randn(7, 4, dtype=torch.float64)
    first, second = network.gradient_and_hessian(x)
    torch.testing.assert_close(first, vmap(grad(network))(x))
    torch.testing.assert_close(second, vmap(hessian(network))(x))
    assert network.gradient(x).equal(first)
    assert network.gradient(x[0]).shape == (4,)


@pytest.mark.parametrize("kind", [HamiltonianField, SeparableField])
def test_a_hamiltonian_field_is_hamiltons_equations(kind):
    field = kind(4, (6, 5), "tanh").double()
    y = torch.randn(3, 4, dtype=torch.float64)
    by_q, by_p = vmap(grad(field.energy))(y).chunk(2, dim=-1)
    torch.testing.assert_close(field(T, y), torch.cat((by_p, -by_q), dim=-1))


@pytest.mark.parametrize("kind", [HamiltonianField, SeparableField, LagrangianField])
def test_the_energy_does_not_change_along_the_field(kind):
    field = kind(4, (6, 5), "softplus").double()
    y = torch.randn(3, 4, dtype=torch.float64)
    change = (vmap(grad(field.energy))(y) * field(T, y)).sum(dim=-1)
    torch.testing.assert_close(change, torch.zeros_like(change), atol=1e-12, rtol=0.0)


def test_a_separable_field_has_its_halves():
    field = SeparableField(4, (5,), "tanh")
    y = torch.randn(3, 4)
    q, p = y.chunk(2, dim=-1)
    velocity, force = field(T, y).chunk(2, dim=-1)
    assert field.velocity(T, p).equal(velocity)
    assert field.force(T, q).equal(force)


def test_a_lagrangian_field_is_lagranges_equation():
    """d/dt (dL/dv) = dL/dq along the motion, by the derivatives of autograd."""
    field = LagrangianField(4, (6, 5), "softplus").double()
    y = torch.randn(3, 4, dtype=torch.float64)

    def lagrangian(state):
        return field.network(state) + 0.5 * state[2:].square().sum()

    def momentum(state):
        return grad(lagrangian)(state)[2:]

    along = (vmap(jacrev(momentum))(y) @ field(T, y).unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(along, vmap(grad(lagrangian))(y)[:, :2])


@pytest.mark.parametrize("kind", [HamiltonianField, SeparableField, LagrangianField])
def test_the_gradients_of_a_field_are_right(kind):
    field = kind(2, (4, 3), "tanh").double()
    y = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    weights = tuple(field.parameters())
    assert torch.autograd.gradcheck(lambda y, *_: field(T, y), (y, *weights))
