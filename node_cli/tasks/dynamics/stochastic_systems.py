"""Known SDEs of one value."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import torch

from node_cli.tasks.dynamics.stochastic_schema import (
    DoubleWellConfig,
    GeometricBrownianConfig,
    OrnsteinUhlenbeckConfig,
)
from node_cli.tasks.dynamics.system import Floats, System, uniform

# Steps between two observations, where the law of an increment is not known.
_FINE = 20


class StochasticSystem(System):
    """``dx = f(x) dt + g(x) dW`` in the sense of Itô; ``derivative`` is its drift.

    Attributes:
        parameters: the true ones, by name.
    """

    columns = ("x",)
    planes = ()
    parameters: Mapping[str, float]

    @abstractmethod
    def diffusion(self, y: Floats) -> Floats:
        """G of states ``[..., 1]``, of their shape."""

    @abstractmethod
    def fitted(self, y: Floats, drift: Floats, diffusion: Floats) -> dict[str, float]:
        """The parameters that are nearest, by least squares, to a learned drift and diffusion.

        Both are in units of the learned diffusion, in which errors of the likelihood are alike.

        Args:
            y: states, ``[N]``.
            drift: there, ``[N]``.
            diffusion: there, ``[N]``.
        """

    @abstractmethod
    def increment(self, y: Floats, step: float, stream: torch.Generator) -> Floats:
        """States ``[N, 1]`` one step later, by the law of the solution or by fine steps."""

    def paths(self, starts: Floats, times: Floats, stream: torch.Generator) -> Floats:
        """Where it goes.

        Args:
            starts: states at the first time, ``[N, 1]``.
            times: increasing, ``[P]``.
            stream: of random numbers.

        Returns:
            States, ``[N, P, 1]``.
        """
        states = [starts]
        for step in np.diff(times):
            states.append(self.increment(states[-1], float(step), stream))
        return np.stack(states, axis=1)


class OrnsteinUhlenbeck(StochasticSystem):
    r""":math:`dx = \theta (m - x)\, dt + \sigma\, dW`.

    :math:`x_{t+h}` is normal with mean :math:`m + (x_t - m) e^{-\theta h}` and variance
    :math:`\sigma^2 (1 - e^{-2 \theta h}) / 2 \theta`.
    """

    def __init__(self, config: OrnsteinUhlenbeckConfig) -> None:
        self._theta, self._mean, self._sigma = config.theta, config.mean, config.sigma
        self.parameters = {"theta": config.theta, "mean": config.mean, "sigma": config.sigma}

    def derivative(self, y: Floats) -> Floats:
        """The drift."""
        return self._theta * (self._mean - y)

    def diffusion(self, y: Floats) -> Floats:
        """A constant."""
        return np.full_like(y, self._sigma)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Of the stationary law."""
        deviation = self._sigma / math.sqrt(2 * self._theta)
        return self._mean + deviation * _normal(count, stream)

    def increment(self, y: Floats, step: float, stream: torch.Generator) -> Floats:
        """By the law."""
        decay = math.exp(-self._theta * step)
        deviation = self._sigma * math.sqrt((1 - decay**2) / (2 * self._theta))
        return self._mean + (y - self._mean) * decay + deviation * _normal(len(y), stream)

    def fitted(self, y: Floats, drift: Floats, diffusion: Floats) -> dict[str, float]:
        """A line, and a constant."""
        constant, slope = _least_squares(drift / diffusion, 1 / diffusion, y / diffusion)
        return {
            "theta": -slope,
            "mean": -constant / slope,
            "sigma": 1 / float((1 / diffusion).mean()),
        }


class GeometricBrownian(StochasticSystem):
    r""":math:`dx = \mu x\, dt + \sigma x\, dW`.

    :math:`x_{t+h} = x_t \exp((\mu - \sigma^2 / 2) h + \sigma \sqrt h\, \xi)` with a normal
    :math:`\xi`.
    """

    def __init__(self, config: GeometricBrownianConfig) -> None:
        self._mu, self._sigma = config.mu, config.sigma
        self.parameters = {"mu": config.mu, "sigma": config.sigma}

    def derivative(self, y: Floats) -> Floats:
        """The drift."""
        return self._mu * y

    def diffusion(self, y: Floats) -> Floats:
        """It grows with the state."""
        return self._sigma * y

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """From 0.5 to 1.5."""
        return uniform(0.5, 1.5, (count, 1), stream)

    def increment(self, y: Floats, step: float, stream: torch.Generator) -> Floats:
        """By the law."""
        drift = (self._mu - self._sigma**2 / 2) * step
        grown: Floats = y * np.exp(drift + self._sigma * math.sqrt(step) * _normal(len(y), stream))
        return grown

    def fitted(self, y: Floats, drift: Floats, diffusion: Floats) -> dict[str, float]:
        """Two lines through the origin."""
        (mu,) = _least_squares(drift / diffusion, y / diffusion)
        (inverse,) = _least_squares(y / diffusion, np.ones_like(y))
        return {"mu": mu, "sigma": 1 / inverse}


class DoubleWell(StochasticSystem):
    r""":math:`dx = (a x - b x^3)\, dt + \sigma\, dW`, between wells at :math:`\pm\sqrt{a / b}`."""

    def __init__(self, config: DoubleWellConfig) -> None:
        self._a, self._b, self._sigma = config.a, config.b, config.sigma
        self.parameters = {"a": config.a, "b": config.b, "sigma": config.sigma}

    def derivative(self, y: Floats) -> Floats:
        """The drift."""
        return self._a * y - self._b * y**3

    def diffusion(self, y: Floats) -> Floats:
        """A constant."""
        return np.full_like(y, self._sigma)

    def starts(self, count: int, stream: torch.Generator) -> Floats:
        """Over both wells."""
        edge = 1.5 * math.sqrt(self._a / self._b)
        return uniform(-edge, edge, (count, 1), stream)

    def increment(self, y: Floats, step: float, stream: torch.Generator) -> Floats:
        """By Euler's steps, which are of strong order 1 here, 20 of them."""
        fine = step / _FINE
        for _ in range(_FINE):
            noise = self._sigma * math.sqrt(fine) * _normal(len(y), stream)
            y = y + fine * self.derivative(y) + noise
        return y

    def fitted(self, y: Floats, drift: Floats, diffusion: Floats) -> dict[str, float]:
        """A cubic without even powers, and a constant."""
        a, b = _least_squares(drift / diffusion, y / diffusion, -(y**3) / diffusion)
        return {"a": a, "b": b, "sigma": 1 / float((1 / diffusion).mean())}


def _normal(count: int, stream: torch.Generator) -> Floats:
    numbers: Floats = torch.randn(count, 1, dtype=torch.float64, generator=stream).numpy()
    return numbers


def _least_squares(values: Floats, *columns: Floats) -> list[float]:
    found: list[float] = np.linalg.lstsq(np.stack(columns, axis=1), values)[0].tolist()
    return found
