"""A ball that falls by an ODE and bounces by events."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from node_cli.models.ode_solve import OdeSolve
from node_cli.solving import SolveSpec
from node_cli.tasks.bouncing_ball.schema import BallConfig

# A ball that leaves the ground with less than this share of its first speed stays there.
_REST = 1e-3


class Motion(NamedTuple):
    """What a ball does.

    Attributes:
        heights: at the times asked for, ``[P]``.
        impacts: times of the impacts, ``[K]``.
    """

    heights: Tensor
    impacts: Tensor


class FreeFall(nn.Module):
    """The vector field of the state (height, velocity, at rest), the last one 0 or 1.

    Args:
        gravity: at the start, downwards.
    """

    def __init__(self, gravity: float) -> None:
        super().__init__()
        self.log_gravity = nn.Parameter(torch.tensor(math.log(gravity)))

    @property
    def gravity(self) -> Tensor:
        """As it is now."""
        return self.log_gravity.exp()

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        """dy/dt, ``[3]``; a ball at rest stays so."""
        _, velocity, at_rest = y.unbind()
        return torch.stack((velocity, (at_rest - 1) * self.gravity, torch.zeros_like(at_rest)))


class Ball(nn.Module):
    """Heights of a ball with a gravity, a restitution, a start and a ground, which are learned.

    Args:
        config: the ``model`` group.
        height: at t = 0, to begin with.
        velocity: then, to begin with.
        ground: its height, to begin with.
        spec: how the ODE is solved.
    """

    def __init__(
        self, config: BallConfig, height: float, velocity: float, ground: float, spec: SolveSpec
    ) -> None:
        super().__init__()
        self.fall = FreeFall(config.gravity)
        odds = config.restitution / (1 - config.restitution)
        self.restitution_logit = nn.Parameter(torch.tensor(math.log(odds)))
        for name, value, learned in (
            ("height", height, config.learn_start),
            ("velocity", velocity, config.learn_start),
            ("ground", ground, config.learn_ground),
        ):
            if learned:
                self.register_parameter(name, nn.Parameter(torch.tensor(value)))
            else:
                self.register_buffer(name, torch.tensor(value))
        self.height: Tensor
        self.velocity: Tensor
        self.ground: Tensor
        self.solve = OdeSolve(spec)

    @property
    def gravity(self) -> Tensor:
        """As it is now."""
        return self.fall.gravity

    @property
    def restitution(self) -> Tensor:
        """As it is now, between 0 and 1."""
        return self.restitution_logit.sigmoid()

    def learned(self) -> dict[str, Tensor]:
        """What is learned, by name, as it is now."""
        found = {"gravity": self.gravity, "restitution": self.restitution}
        return found | {
            name: getattr(self, name)
            for name in ("height", "velocity", "ground")
            if isinstance(getattr(self, name), nn.Parameter)
        }

    def forward(self, times: Tensor, until: float | None = None) -> Motion:
        """Heights at times ``[P]`` from 0 on, in any order, and all impacts.

        Args:
            times: in s.
            until: impacts are found up to it; None: up to the last of the times.
        """
        ordered, order = times.sort()
        zero = ordered.new_zeros(1)
        end = [] if until is None else [ordered.new_tensor([until])]
        start = torch.stack((self.height, self.velocity, zero[0]))
        slowest = None

        def above_the_ground(t: Tensor, y: Tensor) -> Tensor:
            return y[0] - self.ground + y[2]  # at rest it does not hit it any more

        def bounce(t: Tensor, y: Tensor) -> Tensor:
            nonlocal slowest
            height, velocity, at_rest = y.unbind()
            velocity = -self.restitution * velocity
            speed = float(velocity.detach())
            slowest = _REST * speed if slowest is None else slowest
            if speed <= slowest:
                return torch.stack((height, 0 * velocity, at_rest + 1))
            return torch.stack((height, velocity, at_rest))

        solution = self.solve.with_events(
            self.fall, start, torch.cat((zero, ordered, *end)), above_the_ground, bounce
        )
        values = solution.values
        assert isinstance(values, Tensor)
        heights = torch.empty_like(ordered).index_copy(0, order, values[1 : 1 + len(times), 0])
        impacts = [event.time for event in solution.events]
        return Motion(heights, torch.stack(impacts) if impacts else zero[:0])
