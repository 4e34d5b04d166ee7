"""Systems whose equations are known: what trajectories are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class System(ABC):
    """An autonomous system ``dy/dt = f(y)``.

    Attributes:
        columns: the names of the D values of a state.
        observed: the names of the first of them, which are observed; None: all are.
        chaotic: neighbouring trajectories part exponentially.
        known: the equations are; else only trajectories are observed.
        planes: the two values that are drawn against each other; several for several bodies.
    """

    columns: Sequence[str]
    observed: Sequence[str] | None = None
    chaotic: bool = False
    known: bool = True
    planes: Sequence[tuple[int, int]] = ((0, 1),)

    @abstractmethod
    def derivative(self, y: Floats) -> Floats:
        """dy/dt of states ``[..., D]``, of their shape."""

    @abstractmethod
    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Random initial states, ``[count, D]``."""

    def energy(self, y: Floats) -> Floats | None:
        """What is conserved, ``[...]`` of states ``[..., D]``; None: nothing that is known."""
        return None


def energies(system: System, y: Floats) -> Floats | None:
    """What is conserved, ``[...]`` of states ``[..., D]``; infinite where a state has run away."""
    there = np.isfinite(y).all(axis=-1)
    with np.errstate(all="ignore"):
        found = system.energy(y)
    return None if found is None else np.where(there, found, np.inf)


class UnknownSystem(System):
    """One of which trajectories are observed, and no equations are known.

    Args:
        columns: the names of the D values.
    """

    known = False

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns
        self.planes = ((0, 1),) if len(columns) > 1 else ()

    def derivative(self, y: Floats) -> Floats:
        """Not known."""
        return np.full_like(y, np.nan)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Not known."""
        raise NotImplementedError


class MechanicalSystem(System):
    r"""A conservative system of n coordinates with masses :math:`M(q)` and a potential V.

    .. math:: H = \tfrac12 p^\top M(q)^{-1} p + V(q), \qquad p = M(q)\, \dot q

    Its state is q beside p, or q beside its velocity.

    Args:
        positions: the names of the coordinates.
        velocities: the state holds velocities in the place of momenta.
    """

    def __init__(self, positions: Sequence[str], velocities: bool) -> None:
        self.velocities = velocities
        second = "v" if velocities else "p"
        self.columns = (*positions, *(f"{second}_{name}" for name in positions))
        self.planes = ((0, len(positions)),)

    @abstractmethod
    def masses(self, q: Floats) -> Floats:
        """M, ``[..., n, n]`` at positions ``[..., n]``."""

    @abstractmethod
    def potential(self, q: Floats) -> Floats:
        """V, ``[...]`` at positions ``[..., n]``."""

    @abstractmethod
    def force(self, q: Floats) -> Floats:
        """Minus the gradient of V, ``[..., n]``."""

    @abstractmethod
    def first(self, count: int, stream: torch.Generator) -> tuple[Floats, Floats]:
        """Random positions and velocities to begin with, ``[count, n]`` each."""

    def mass_rate(self, q: Floats, v: Floats) -> Floats | float:
        """How M changes in time, ``[..., n, n]``; 0 where it is constant."""
        return 0.0

    def mass_slope(self, q: Floats, v: Floats) -> Floats | float:
        """The gradient of ``v^T M(q) v / 2`` with respect to q, ``[..., n]``; 0 likewise."""
        return 0.0

    def derivative(self, y: Floats) -> Floats:
        """By Lagrange's equation, ``d(M v)/dt = force + gradient of the kinetic energy``."""
        q, second = _halves(y)
        masses = self.masses(q)
        v = second if self.velocities else _solve(masses, second)
        change = self.force(q) + self.mass_slope(q, v)  # of the momenta
        if self.velocities:
            change = _solve(masses, change - _times(self.mass_rate(q, v), v))
        return np.concatenate((v, change), axis=-1)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Random initial states, ``[count, 2 n]``."""
        q, v = self.first(count, stream)
        return np.concatenate((q, v if self.velocities else _times(self.masses(q), v)), axis=-1)

    def energy(self, y: Floats) -> Floats:
        """H."""
        q, second = _halves(y)
        masses = self.masses(q)
        v = second if self.velocities else _solve(masses, second)
        kinetic: Floats = 0.5 * (v * _times(masses, v)).sum(axis=-1)
        return kinetic + self.potential(q)


def uniform(low: float, high: float, shape: Sequence[int], stream: torch.Generator) -> Floats:
    """Random numbers of double precision."""
    numbers: Floats = torch.rand(*shape, dtype=torch.float64, generator=stream).numpy()
    return low + (high - low) * numbers


def _halves(y: Floats) -> tuple[Floats, Floats]:
    middle = y.shape[-1] // 2
    return y[..., :middle], y[..., middle:]


def _solve(matrix: Floats, vector: Floats) -> Floats:
    solved: Floats = np.linalg.solve(matrix, vector[..., None])[..., 0].astype(np.float64)
    return solved


def _times(matrix: Any, vector: Floats) -> Floats:
    if isinstance(matrix, float):
        return np.zeros_like(vector)
    product: Floats = (matrix @ vector[..., None])[..., 0]
    return product
