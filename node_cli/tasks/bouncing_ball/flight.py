"""The bouncing ball in closed form: parabolas between impacts. Numbers only, without torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple


class Impact(NamedTuple):
    """The ball hits the ground.

    Attributes:
        time: when, in s.
        speed: with which it arrives, in m/s.
    """

    time: float
    speed: float


@dataclass(frozen=True)
class Flight:
    r"""A ball thrown at t = 0.

    It arrives with the speed :math:`u_0 = \sqrt{v^2 + 2 g h}` at :math:`t_0 = (v + u_0) / g`, h
    above the ground, leaves with :math:`e u_0`, and is back after :math:`2 e u_0 / g`.

    Attributes:
        height: at t = 0, in m.
        velocity: then, upwards, in m/s.
        ground: its height, in m.
        gravity: g, downwards, in m/s^2.
        restitution: e, the speed after an impact by the speed before.
    """

    height: float
    velocity: float
    ground: float
    gravity: float
    restitution: float

    def impacts(self) -> Iterator[Impact]:
        """All of them, without end: where e is below 1 they come ever closer."""
        energy = self.velocity * self.velocity + 2 * self.gravity * (self.height - self.ground)
        speed = math.sqrt(energy)  # infinite for numbers too large to be meant
        time = (self.velocity + speed) / self.gravity
        while True:
            yield Impact(time, speed)
            speed *= self.restitution
            time += 2 * speed / self.gravity

    def impacts_until(self, end: float) -> list[Impact]:
        """Those up to a time before which the ball does not come to rest."""
        return list(takewhile(lambda impact: impact.time <= end, self.impacts()))

    def heights(self, times: Sequence[float]) -> list[float]:
        """At times in increasing order, before which the ball does not come to rest."""
        start, height, velocity = 0.0, self.height, self.velocity
        coming = self.impacts()
        impact = next(coming)
        found = []
        for time in times:
            while impact.time <= time:
                start, height = impact.time, self.ground
                velocity = self.restitution * impact.speed
                impact = next(coming)
            since = time - start
            found.append(height + velocity * since - self.gravity * since**2 / 2)
        return found
