"""Densities in the plane: samples without end, and the log-density where it is known.

The shapes are those of torchdiffeq's cnf.py (circles) and of FFJORD's toy data, drawn
independently and at one size: each fills about the square from -1 to 1. FFJORD's coordinates are
four times as large (circles, rings and swiss-roll: three times).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor


class Density(ABC):
    """A density in the plane."""

    @abstractmethod
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """``count`` independent points, ``[count, 2]``, float32 on the CPU."""

    def log_density(self, x: Tensor) -> Tensor | None:
        """The log-density at ``[N, 2]`` in nats, ``[N]``; None where it is not known."""
        return None


class Scaled(Density):
    """A density whose coordinates are multiplied by a factor.

    Args:
        density: what is scaled.
        factor: positive.
    """

    def __init__(self, density: Density, factor: float) -> None:
        self._density, self._factor = density, factor

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points of the inner density, times the factor."""
        return self._density.sample(count, generator) * self._factor

    def log_density(self, x: Tensor) -> Tensor | None:
        """That of the inner density, less ``2 log factor``."""
        inner = self._density.log_density(x / self._factor)
        return None if inner is None else inner - 2 * math.log(self._factor)


class Rings(Density):
    r"""Circles around the origin, all as likely as each other, with Gaussian noise.

    A point at distance :math:`\rho` from the origin has, from a circle of radius r with noise of
    standard deviation :math:`\sigma` in each coordinate, the density

    .. math:: \frac{1}{2 \pi \sigma^2} \exp\left( -\frac{(\rho - r)^2}{2 \sigma^2} \right)
              e^{-\rho r / \sigma^2} I_0\left( \frac{\rho r}{\sigma^2} \right).

    Args:
        radii: of the circles.
        noise: the standard deviation.
    """

    def __init__(self, radii: Sequence[float], noise: float) -> None:
        self._radii = torch.tensor(radii)
        self._noise = noise

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points of circles chosen at random."""
        radius = self._radii[torch.randint(len(self._radii), (count,), generator=generator)]
        angle = 2 * math.pi * torch.rand(count, generator=generator)
        return _polar(radius, angle) + self._noise * torch.randn(count, 2, generator=generator)

    def log_density(self, x: Tensor) -> Tensor | None:
        """Known unless there is no noise."""
        if self._noise == 0:
            return None
        variance = self._noise**2
        distance = x.double().norm(dim=1, keepdim=True)
        radii = self._radii.to(distance)
        bessel = torch.special.i0e(distance * radii / variance).log()
        each = bessel - (distance - radii) ** 2 / (2 * variance) - math.log(2 * math.pi * variance)
        log: Tensor = each.logsumexp(dim=1) - math.log(len(radii))
        return log.to(x.dtype)


class Mixture(Density):
    """A mixture of Gaussians.

    Args:
        weights: of the components, positive; they need not sum to 1.
        means: ``[x, y]`` of each.
        covariances: symmetric positive definite, of each.
    """

    def __init__(
        self,
        weights: Sequence[float],
        means: Sequence[Sequence[float]],
        covariances: Sequence[Sequence[Sequence[float]]],
    ) -> None:
        exact = torch.float64
        self._weights = torch.tensor(weights, dtype=exact) / sum(weights)
        self._means = torch.tensor(means, dtype=exact)
        self._factors = torch.linalg.cholesky(torch.tensor(covariances, dtype=exact))

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points of components chosen by weight."""
        chosen = torch.multinomial(self._weights, count, replacement=True, generator=generator)
        normal = torch.randn(count, 2, 1, generator=generator).double()
        points: Tensor = self._means[chosen] + (self._factors[chosen] @ normal).squeeze(2)
        return points.float()

    def log_density(self, x: Tensor) -> Tensor:
        """The sum over the components."""
        components = torch.distributions.MultivariateNormal(
            self._means.to(x.device), scale_tril=self._factors.to(x.device)
        )
        weighted = components.log_prob(x.double().unsqueeze(1)) + self._weights.to(x.device).log()
        log: Tensor = weighted.logsumexp(dim=1)
        return log.to(x.dtype)


class Checkerboard(Density):
    """Eight of sixteen squares of side 1/2, uniform."""

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points of the squares."""
        column = torch.randint(4, (count,), generator=generator)
        row = 2 * torch.randint(2, (count,), generator=generator) + column % 2
        # Off the borders, so that rounding never moves a point out of its square.
        place = 1e-6 + (1 - 2e-6) * torch.rand(count, 2, generator=generator)
        return (torch.stack((column, row), dim=1) + place) / 2 - 1

    def log_density(self, x: Tensor) -> Tensor:
        """``-log 2`` on the squares, minus infinity beside them."""
        cell = ((x + 1) * 2).floor()
        inside = ((cell >= 0) & (cell < 4)).all(dim=1) & ((cell[:, 0] - cell[:, 1]) % 2 == 0)
        return torch.where(inside, -math.log(2.0), -math.inf).to(x)


class Moons(Density):
    """Two interleaved half circles of radius 1/2.

    Args:
        noise: standard deviation in each coordinate.
    """

    def __init__(self, noise: float) -> None:
        self._noise = noise

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points of both moons."""
        angle = math.pi * torch.rand(count, generator=generator)
        sign = 1.0 - 2.0 * torch.randint(2, (count,), generator=generator)
        arc = sign.unsqueeze(1) * (_polar(0.5, angle) + torch.tensor((-0.25, -0.125)))
        return arc + self._noise * torch.randn(count, 2, generator=generator)


class TwoSpirals(Density):
    """Two spirals of one turn and a half, one the other turned by half a turn.

    Args:
        noise: standard deviation in each coordinate.
    """

    def __init__(self, noise: float) -> None:
        self._noise = noise

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points that are about as dense at the end of a spiral as at its start."""
        angle = 3 * math.pi * torch.rand(count, generator=generator).sqrt()
        sign = 1.0 - 2.0 * torch.randint(2, (count,), generator=generator)
        width = torch.rand(count, 2, generator=generator) / 24
        arm = _polar(angle / 12, math.pi - angle) + width
        spirals = sign.unsqueeze(1) * arm
        return spirals + self._noise * torch.randn(count, 2, generator=generator)


class Pinwheel(Density):
    """Five bent blades.

    Args:
        noise: standard deviation along a blade, as a share of its distance from the centre; across
            it is a third of that.
    """

    def __init__(self, noise: float) -> None:
        self._noise = noise

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points of blades chosen at random, the farther out the more turned."""
        spread = torch.tensor((self._noise, self._noise / 3))
        blade = torch.randn(count, 2, generator=generator) * spread
        blade[:, 0] += 1.0
        which = torch.randint(5, (count,), generator=generator)
        angle = 2 * math.pi / 5 * which + 0.25 * blade[:, 0].exp()
        cos, sin = angle.cos(), angle.sin()
        x = blade[:, 0] * cos + blade[:, 1] * sin
        y = blade[:, 1] * cos - blade[:, 0] * sin
        return torch.stack((x, y), dim=1) / 2


class SwissRoll(Density):
    """A rolled-up strip, seen from its side.

    Args:
        noise: standard deviation in each coordinate.
    """

    def __init__(self, noise: float) -> None:
        self._noise = noise

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points along the roll."""
        angle = 1.5 * math.pi * (1 + 2 * torch.rand(count, generator=generator))
        roll = _polar(angle / 15, angle)
        return roll + self._noise * torch.randn(count, 2, generator=generator)


def eight_gaussians(noise: float) -> Mixture:
    """Eight Gaussians of standard deviation ``noise`` on a circle of radius 0.7."""
    angles = math.pi / 4 * torch.arange(8)
    means = _polar(torch.full((8,), 0.7), angles).tolist()
    variance = noise**2
    return Mixture([1.0] * 8, means, [[[variance, 0.0], [0.0, variance]]] * 8)


def _polar(radius: Tensor | float, angle: Tensor) -> Tensor:
    return torch.stack((radius * angle.cos(), radius * angle.sin()), dim=1)
