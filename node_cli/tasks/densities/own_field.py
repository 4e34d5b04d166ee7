"""A vector field of your own in continuous normalizing flows.

Try it::

    node-train --plugin example.py task=cnf-2d model=example trace=exact
    node-train --plugin example.py task=cnf-tabular model=example data.path=FILE
"""

from typing import Literal

import torch
from torch import Tensor, nn

from node_cli.plugin import Count, FlowModel


class Example(FlowModel):
    """A perceptron that has the time as an input."""

    name: Literal["example"] = "example"
    hidden: Count = 64
    """Units in each of two hidden layers."""

    def field(self, dimensions: int) -> nn.Module:
        """The vector field of points with so many coordinates."""
        return Field(dimensions, self.hidden)


class Field(nn.Module):
    """f(t, z)."""

    def __init__(self, dimensions: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dimensions + 1, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, dimensions),
        )

    def forward(self, t: Tensor, z: Tensor) -> Tensor:
        """dz/dt at points [N, d], of their shape and dtype; t is a scalar tensor."""
        return self.net(torch.cat((t.expand(len(z), 1), z), dim=1))
