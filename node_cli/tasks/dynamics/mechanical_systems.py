"""Conservative mechanical systems: springs, pendulums and bodies that attract each other."""

from __future__ import annotations

import math

import numpy as np
import torch

from node_cli.tasks.dynamics.schema import (
    BodiesConfig,
    DoublePendulumConfig,
    MassSpringConfig,
    PendulumConfig,
)
from node_cli.tasks.dynamics.system import Floats, MechanicalSystem, uniform


class MassSpring(MechanicalSystem):
    r"""A spring: :math:`H = p^2 / 2m + k q^2 / 2`; :math:`p^2 + q^2` for m = 1/2 and k = 2."""

    def __init__(self, config: MassSpringConfig) -> None:
        super().__init__(("q",), config.coordinates == "velocities")
        self._config = config

    def masses(self, q: Floats) -> Floats:
        """Of the body."""
        return np.full((*q.shape, 1), self._config.mass)

    def potential(self, q: Floats) -> Floats:
        """That of the spring."""
        return 0.5 * self._config.stiffness * q[..., 0] ** 2

    def force(self, q: Floats) -> Floats:
        """Hooke's."""
        return -self._config.stiffness * q

    def first(self, count: int, stream: torch.Generator) -> tuple[Floats, Floats]:
        """Uniform in the angle of (q, p) and in its radius, 0.1 to 1 (Greydanus et al. 2019)."""
        radius = uniform(0.1, 1.0, (count, 1), stream)
        angle = uniform(0.0, 2 * math.pi, (count, 1), stream)
        return radius * np.cos(angle), radius * np.sin(angle) / self._config.mass


class Pendulum(MechanicalSystem):
    r"""A mass on a rod: :math:`H = p^2 / 2ml^2 + mgl (1 - \cos q)`.

    With m = 1/2, l = 1 and g = 6 it is :math:`p^2 + 3 (1 - \cos q)`, as in Greydanus et al. 2019.
    """

    def __init__(self, config: PendulumConfig) -> None:
        super().__init__(("q",), config.coordinates == "velocities")
        self._inertia = config.mass * config.length**2
        self._weight = config.mass * config.gravity * config.length

    def masses(self, q: Floats) -> Floats:
        """The moment of inertia."""
        return np.full((*q.shape, 1), self._inertia)

    def potential(self, q: Floats) -> Floats:
        """0 at the bottom."""
        return self._weight * (1 - np.cos(q[..., 0]))

    def force(self, q: Floats) -> Floats:
        """The torque."""
        return -self._weight * np.sin(q)

    def first(self, count: int, stream: torch.Generator) -> tuple[Floats, Floats]:
        """Uniform in the angle of (q, p) and in its radius, 1.3 to 2.3 (Greydanus et al. 2019)."""
        radius = uniform(1.3, 2.3, (count, 1), stream)
        angle = uniform(0.0, 2 * math.pi, (count, 1), stream)
        return radius * np.cos(angle), radius * np.sin(angle) / self._inertia


class DoublePendulum(MechanicalSystem):
    r"""Two point masses on massless rods, one hanging from the other; angles from the vertical.

    .. math:: T = \tfrac12 (m_1 + m_2) l_1^2 \dot q_1^2 + \tfrac12 m_2 l_2^2 \dot q_2^2
                  + m_2 l_1 l_2 \cos(q_1 - q_2)\, \dot q_1 \dot q_2
    .. math:: V = -(m_1 + m_2) g l_1 \cos q_1 - m_2 g l_2 \cos q_2
    """

    chaotic = True

    def __init__(self, config: DoublePendulumConfig) -> None:
        super().__init__(("q1", "q2"), config.coordinates == "velocities")
        (m1, m2), (l1, l2) = config.masses, config.lengths
        self._inertia = ((m1 + m2) * l1**2, m2 * l2**2)
        self._coupling = m2 * l1 * l2
        self._weights = config.gravity * np.array([(m1 + m2) * l1, m2 * l2])

    def masses(self, q: Floats) -> Floats:
        """The matrix of inertia."""
        return self._matrix(self._inertia, self._coupling * np.cos(q[..., 0] - q[..., 1]))

    def mass_rate(self, q: Floats, v: Floats) -> Floats:
        """By the angle between the rods, which alone it depends on."""
        rate = -np.sin(q[..., 0] - q[..., 1]) * (v[..., 0] - v[..., 1])
        return self._matrix((0.0, 0.0), self._coupling * rate)

    def mass_slope(self, q: Floats, v: Floats) -> Floats:
        """Likewise."""
        slope = -self._coupling * np.sin(q[..., 0] - q[..., 1]) * v[..., 0] * v[..., 1]
        both = np.empty((*slope.shape, 2))
        both[..., 0], both[..., 1] = slope, -slope
        return both

    def potential(self, q: Floats) -> Floats:
        """0 where both are level with the pivot."""
        height: Floats = -np.cos(q) @ self._weights
        return height

    def force(self, q: Floats) -> Floats:
        """The torques."""
        return -self._weights * np.sin(q)

    def first(self, count: int, stream: torch.Generator) -> tuple[Floats, Floats]:
        """At rest, each angle uniform within 1.5 of the vertical."""
        return uniform(-1.5, 1.5, (count, 2), stream), np.zeros((count, 2))

    @staticmethod
    def _matrix(diagonal: tuple[float, float], other: Floats) -> Floats:
        matrix = np.empty((*other.shape, 2, 2))
        matrix[..., 0, 0], matrix[..., 1, 1] = diagonal
        matrix[..., 0, 1] = matrix[..., 1, 0] = other
        return matrix


class Bodies(MechanicalSystem):
    r"""Point masses in the plane that attract each other.

    .. math:: H = \sum_i \frac{|p_i|^2}{2 m_i} - G \sum_{i < j} \frac{m_i m_j}{|q_i - q_j|}

    They begin near the motion in which they stay at the corners of a regular polygon that turns
    around their centre of mass, with :math:`\omega^2 = G \sum_i m_i / d^3` for the distance d of
    two of them (Lagrange, 1772, for three), at 0.5 to 1.5 from the polygon's centre; each velocity
    is changed by a share of about ``config.scatter``, and the centre of mass stays at rest.
    """

    def __init__(self, config: BodiesConfig) -> None:
        self._masses = np.array(config.masses)
        names = [f"{axis}{body}" for body in range(1, len(self._masses) + 1) for axis in "xy"]
        super().__init__(names, config.coordinates == "velocities")
        self.chaotic = len(self._masses) > 2
        self.planes = tuple((2 * body, 2 * body + 1) for body in range(len(self._masses)))
        self._gravity, self._scatter = config.gravity, config.scatter

    def masses(self, q: Floats) -> Floats:
        """A constant diagonal matrix."""
        matrix = np.diag(np.repeat(self._masses, 2))
        return np.broadcast_to(matrix, (*q.shape[:-1], *matrix.shape))

    def potential(self, q: Floats) -> Floats:
        """0 where all are far apart."""
        _, distance = self._apart(q)
        energy: Floats = -0.5 * self._gravity * (self._pairs() / distance).sum(axis=(-2, -1))
        return energy

    def force(self, q: Floats) -> Floats:
        """Newton's, of each on each."""
        apart, distance = self._apart(q)
        pulls = self._gravity * (self._pairs() / distance**3)[..., None] * apart
        total: Floats = pulls.sum(axis=-2).reshape(q.shape)
        return total

    def first(self, count: int, stream: torch.Generator) -> tuple[Floats, Floats]:
        """As the class says."""
        bodies = len(self._masses)
        radius = uniform(0.5, 1.5, (count, 1), stream)
        turned = uniform(0.0, 2 * math.pi, (count, 1), stream)
        angle = turned + 2 * math.pi * np.arange(bodies) / bodies
        places = radius[..., None] * np.stack((np.cos(angle), np.sin(angle)), axis=-1)
        places -= np.average(places, axis=1, weights=self._masses)[:, None]
        side = 2 * radius * math.sin(math.pi / bodies)
        rate = np.sqrt(self._gravity * self._masses.sum() / side**3)[..., None]
        velocities = rate * np.stack((-places[..., 1], places[..., 0]), axis=-1)
        noise = torch.randn(count, bodies, 2, dtype=torch.float64, generator=stream).numpy()
        velocities = velocities * (1 + self._scatter * noise)
        velocities -= np.average(velocities, axis=1, weights=self._masses)[:, None]
        return places.reshape(count, -1), velocities.reshape(count, -1)

    def _apart(self, q: Floats) -> tuple[Floats, Floats]:
        """From each body to each, ``[..., n, n, 2]``, and how far; infinitely far from itself."""
        places = q.reshape(*q.shape[:-1], len(self._masses), 2)
        apart = places[..., None, :, :] - places[..., :, None, :]
        distance = np.sqrt((apart**2).sum(axis=-1))
        return apart, np.where(np.eye(len(self._masses), dtype=bool), np.inf, distance)

    def _pairs(self) -> Floats:
        return np.outer(self._masses, self._masses)
