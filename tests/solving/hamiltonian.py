"""Separable Hamiltonian systems, positions first, and what is asked of their solvers."""

import torch
from torch import nn

from node_cli.solving import SolveSpec, solve

DOUBLE = {"dtype": torch.float64}


class Separable(nn.Module):
    """A field of two halves, which counts how often it is asked for each."""

    def __init__(self):
        super().__init__()
        self.velocities = self.forces = self.wholes = 0

    def velocity(self, t, p):
        self.velocities += 1
        return self.of_momenta(t, p)

    def force(self, t, q):
        self.forces += 1
        return self.of_positions(t, q)

    def forward(self, t, y):
        self.wholes += 1
        q, p = y.chunk(2, dim=-1)
        return torch.cat((self.of_momenta(t, p), self.of_positions(t, q)), dim=-1)


class Oscillator(Separable):
    """H = (q^2 + p^2) / 2, whose flow turns the plane."""

    def of_momenta(self, t, p):
        return p

    def of_positions(self, t, q):
        return -q


class Pendulum(Separable):
    """H = p^2 / 2 + 1 - cos q."""

    start = (1.5, 0.0)

    def of_momenta(self, t, p):
        return p

    def of_positions(self, t, q):
        return -torch.sin(q)

    def energy(self, y):
        q, p = y.chunk(2, dim=-1)
        return (p.square() / 2 + 1 - torch.cos(q)).squeeze(-1)


class HenonHeiles(Separable):
    """Two degrees of freedom: T = p^T A p / 2, V = (x^2 + y^2) / 2 + x^2 y - y^3 / 3."""

    start = (0.1, -0.2, 0.3, 0.15)

    def __init__(self):
        super().__init__()
        self.masses = torch.tensor([[1.0, 0.3], [0.3, 2.0]], **DOUBLE)

    def of_momenta(self, t, p):
        return p @ self.masses

    def of_positions(self, t, q):
        x, y = q.unbind(dim=-1)
        return torch.stack((-x - 2 * x * y, -y - x * x + y * y), dim=-1)


class Driven(Separable):
    """A pendulum whose mass and torque change in time."""

    start = (1.0, 0.3)

    def of_momenta(self, t, p):
        return (1 + 0.4 * torch.sin(t)) * p

    def of_positions(self, t, q):
        return -torch.sin(q) + 0.5 * torch.cos(2 * t)


class Learned(Separable):
    """A kinetic and a potential energy that are networks, of n degrees of freedom."""

    def __init__(self, n=2, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.kinetic, self.potential = (
            nn.Sequential(nn.Linear(n, 6), nn.Tanh(), nn.Linear(6, 1)).to(dtype) for _ in range(2)
        )

    def of_momenta(self, t, p):
        return slope(self.kinetic, p)

    def of_positions(self, t, q):
        return -(1 + t) * slope(self.potential, q)


def slope(energy, x):
    """The gradient of an energy, which can be differentiated itself where gradients are on."""
    on = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_()
        (found,) = torch.autograd.grad(energy(x).sum(), x, create_graph=on)
    return found


def start_of(system):
    return torch.tensor(system.start, **DOUBLE)


def times(*given):
    return torch.tensor(given, **DOUBLE)


def end(field, y0, method, stop=1.0, start=0.0, steps=10, adjoint="direct"):
    spec = SolveSpec(method=method, num_steps=steps, adjoint=adjoint)
    return solve(field, y0, times(start, stop), spec).values[-1]


def symplectic_defect(field, y0, method, **how):
    """The largest entry of M^T Omega M - Omega, with the Jacobian M of the flow."""
    n = len(y0) // 2
    identity, zero = torch.eye(n, **DOUBLE), torch.zeros(n, n, **DOUBLE)
    omega = torch.cat((torch.cat((zero, identity), 1), torch.cat((-identity, zero), 1)))
    jacobian = torch.autograd.functional.jacobian(lambda y: end(field, y, method, **how), y0)
    return float((jacobian.T @ omega @ jacobian - omega).abs().max())
