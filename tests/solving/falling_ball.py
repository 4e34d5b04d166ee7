"""A ball that falls and bounces, with its closed form."""

import torch

from node_cli.solving import solve_with_events


def leaf(value, dtype=torch.float64):
    return torch.tensor(value, dtype=dtype, requires_grad=True)


def times(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


class Ball:
    """A ball above a ground, with what it is made of as leaves."""

    def __init__(self, dtype=torch.float64):
        self.gravity, self.restitution = leaf(9.81, dtype), leaf(0.8, dtype)
        self.height, self.velocity, self.ground = (leaf(x, dtype) for x in (5.0, 2.0, 0.3))

    @property
    def leaves(self):
        return self.height, self.velocity, self.ground, self.gravity, self.restitution

    @property
    def start(self):
        return torch.stack((self.height, self.velocity))

    def field(self, t, y):
        return torch.stack((y[1], -self.gravity))

    def event(self, t, y):
        return y[0] - self.ground

    def jump(self, t, y):
        return torch.stack((y[0], -self.restitution * y[1]))

    def impacts(self, count):
        """The closed form: times and speeds of the impacts."""
        speed = (self.velocity**2 + 2 * self.gravity * (self.height - self.ground)).sqrt()
        time = (self.velocity + speed) / self.gravity
        for _ in range(count):
            yield time, speed
            speed = self.restitution * speed
            time = time + 2 * speed / self.gravity

    def solve(self, t, spec, jump=None):
        return solve_with_events(
            self.field, self.start, t, spec, self.event, jump, parameters=(self.gravity,)
        )
