"""Systems of few values, most of them in the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from node_cli.tasks.dynamics.schema import (
    DampedOscillatorConfig,
    LorenzConfig,
    LotkaVolterraConfig,
    OscillatorConfig,
    VanDerPolConfig,
)
from node_cli.tasks.dynamics.system import Floats, System, uniform


class Spiral(System):
    r"""The cubic spiral of torchdiffeq's ode_demo.py.

    .. math:: \frac{d}{dt}(x, y) = (x^3, y^3)
              \begin{pmatrix} -0.1 & 2 \\ -2 & -0.1 \end{pmatrix}

    It begins at a distance of 1.5 to 2.2 from the origin; the demo begins at (2, 0).
    """

    columns = ("x", "y")

    def derivative(self, y: Floats) -> Floats:
        """Of states ``[..., 2]``."""
        derivative: Floats = y**3 @ np.array([[-0.1, 2.0], [-2.0, -0.1]])
        return derivative

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Uniform in angle and in radius."""
        return _in_a_ring(1.5, 2.2, count, stream)


class LotkaVolterra(System):
    r"""Prey and predators (A. J. Lotka, 1925; V. Volterra, 1926).

    .. math:: \dot x = \alpha x - \beta x y, \qquad \dot y = \delta x y - \gamma y
    """

    columns = ("prey", "predators")

    def __init__(self, config: LotkaVolterraConfig) -> None:
        self._config = config

    def derivative(self, y: Floats) -> Floats:
        """Of states ``[..., 2]``."""
        c = self._config
        prey, predators = y[..., 0], y[..., 1]
        met = prey * predators
        return np.stack((c.alpha * prey - c.beta * met, c.delta * met - c.gamma * predators), -1)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """0.4 to 2 times the state at rest."""
        c = self._config
        rest = np.array([c.gamma / c.delta, c.alpha / c.beta])
        return rest * uniform(0.4, 2.0, (count, 2), stream)

    def energy(self, y: Floats) -> Floats:
        r""":math:`\delta x - \gamma \ln x + \beta y - \alpha \ln y`; infinite below 0."""
        c = self._config
        prey, predators = y[..., 0], y[..., 1]
        there = (prey > 0) & (predators > 0)
        logs = c.gamma * np.log(np.where(there, prey, 1.0)) + c.alpha * np.log(
            np.where(there, predators, 1.0)
        )
        return np.where(there, c.delta * prey + c.beta * predators - logs, np.inf)


class VanDerPol(System):
    r"""Van der Pol's oscillator (1926): :math:`\ddot x = \mu (1 - x^2)\, \dot x - x`."""

    columns: Sequence[str] = ("x", "v")

    def __init__(self, config: VanDerPolConfig) -> None:
        self._mu = config.mu
        self.observed = _of_an_oscillator(config)

    def derivative(self, y: Floats) -> Floats:
        """Of states ``[..., 2]``."""
        x, v = y[..., 0], y[..., 1]
        return np.stack((v, self._mu * (1 - x**2) * v - x), axis=-1)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Uniform in a square around the limit cycle."""
        return uniform(-2.5, 2.5, (count, 2), stream)


class ForcedVanDerPol(VanDerPol):
    r"""The same with a force, whose phase is a part of the state and not observed.

    .. math:: \ddot x = \mu (1 - x^2)\, \dot x - x + A \cos \varphi, \qquad
              \dot \varphi = \omega,\ \varphi(0) = 0
    """

    columns = ("x", "v", "phase")

    def __init__(self, config: VanDerPolConfig) -> None:
        super().__init__(config)
        self._forcing, self._frequency = config.forcing, config.frequency

    def derivative(self, y: Floats) -> Floats:
        """Of states ``[..., 3]``."""
        free = super().derivative(y[..., :2])
        phase = y[..., 2]
        force = self._forcing * np.cos(phase)
        rate = np.full_like(phase, self._frequency)
        return np.stack((free[..., 0], free[..., 1] + force, rate), axis=-1)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """As without the force."""
        free = super().starts(count, stream)
        return np.concatenate((free, np.zeros((count, 1))), axis=-1)


class DampedOscillator(System):
    r"""A mass on a spring with friction: :math:`m \ddot x = -k x - c\, \dot x`."""

    columns = ("x", "v")

    def __init__(self, config: DampedOscillatorConfig) -> None:
        self._config = config
        self.observed = _of_an_oscillator(config)

    def derivative(self, y: Floats) -> Floats:
        """Of states ``[..., 2]``."""
        c = self._config
        x, v = y[..., 0], y[..., 1]
        return np.stack((v, -(c.stiffness * x + c.damping * v) / c.mass), axis=-1)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Uniform in angle and radius of x and v."""
        return _in_a_ring(0.5, 1.5, count, stream)


class Lorenz(System):
    r"""Lorenz's system (1963).

    .. math:: \dot x = \sigma (y - x), \quad \dot y = x (\rho - z) - y, \quad
              \dot z = x y - \beta z
    """

    columns = ("x", "y", "z")
    chaotic = True

    def __init__(self, config: LorenzConfig) -> None:
        self._config = config

    def derivative(self, y: Floats) -> Floats:
        """Of states ``[..., 3]``."""
        c = self._config
        x, y_, z = y[..., 0], y[..., 1], y[..., 2]
        return np.stack((c.sigma * (y_ - x), x * (c.rho - z) - y_, x * y_ - c.beta * z), axis=-1)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Uniform in a box that holds the usual attractor."""
        unit = uniform(-1.0, 1.0, (count, 3), stream)
        starts: Floats = np.array([15.0, 20.0, 15.0]) * unit + np.array([0.0, 0.0, 25.0])
        return starts


def _of_an_oscillator(config: OscillatorConfig) -> Sequence[str]:
    return ("x", "v")[: config.dimensions]


def _in_a_ring(inner: float, outer: float, count: int, stream: torch.Generator) -> Floats:
    radius = uniform(inner, outer, (count,), stream)
    angle = uniform(0.0, 2 * math.pi, (count,), stream)
    points: Floats = radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=-1)
    return points
