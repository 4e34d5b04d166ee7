"""Models of points: a start, a block of depth, a linear head."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from node_cli.models.mlp_field import Perceptron
from node_cli.models.ode_solve import ODEBlock
from node_cli.models.perceptron_ode import field_and_lift
from node_cli.schema.model import ModelSchema
from node_cli.schema.vector_field import Activation, AugmentedConfig
from node_cli.schema.vector_field import PerceptronConfig as FieldConfig
from node_cli.solving import SolveSpec
from node_cli.tasks.concentric.schema import MlpResNetConfig


class PointClassifier(nn.Module):
    """A number for each point, from a linear head on the state at the end.

    So the classes must lie on two sides of a plane there. A flow in the space of the points cannot
    bring concentric spheres into that position: paths do not cross (Dupont et al. 2019, section
    3.1).

    Args:
        config: the ``model`` group.
        dimensions: d.
        spec: how an ODE is solved.
    """

    def __init__(self, config: ModelSchema, dimensions: int, spec: SolveSpec) -> None:
        super().__init__()
        self.lift: nn.Module | None = None
        if isinstance(config, MlpResNetConfig):
            self.depth: nn.Module = ResidualBlocks(
                dimensions, config.hidden, config.activation, config.blocks
            )
        else:
            assert isinstance(config, FieldConfig)
            field, self.lift = field_and_lift(config, dimensions)
            self.depth = ODEBlock(field, spec)
        # The velocity moves a point, and is not seen by the head.
        added = config.augment_dim if isinstance(config, AugmentedConfig) else 0
        self._read = dimensions + added
        self.head = nn.Linear(self._read, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A number for each of the points ``[N, d]``, ``[N]``; above 0: of the shell."""
        states = self.depth(self.start(x))
        answers: Tensor = self.head(states[..., : self._read]).squeeze(-1)
        return answers

    def start(self, x: Tensor) -> Tensor:
        """The states ``[N, S]`` that points ``[N, d]`` begin with."""
        states: Tensor = x if self.lift is None else self.lift(x)
        return states

    def paths(self, x: Tensor, places: int) -> tuple[Tensor, Tensor]:
        """Times ``[places]`` from 0 to 1, and the states of points there, ``[places, N, S]``.

        Of residual blocks there are the states before and after each, whatever ``places`` says, and
        of a fixed-step solver no more places than its own: each output time would be a step more.
        """
        states = self.start(x)
        if isinstance(self.depth, ODEBlock):
            spec = self.depth.solve.spec
            if spec.kind == "fixed":
                places = min(places, math.ceil(1 / spec.length_of_steps(1.0)) + 1)
            times = torch.linspace(0, 1, places, device=x.device, dtype=x.dtype)
            return times, self.depth.solve(self.depth.field, states, times)
        assert isinstance(self.depth, ResidualBlocks)
        between = self.depth.states(states)
        return torch.linspace(0, 1, len(between)), torch.stack(between)


class ResidualBlocks(nn.Module):
    r""":math:`y_{l+1} = y_l + f_l(y_l)`, each :math:`f_l` a perceptron of its own.

    Args:
        dimensions: of y.
        hidden: widths of the hidden layers of each.
        activation: after each of them.
        blocks: how many.
    """

    def __init__(
        self, dimensions: int, hidden: Sequence[int], activation: Activation, blocks: int
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Perceptron(dimensions, hidden, dimensions, activation) for _ in range(blocks)
        )

    def forward(self, y: Tensor) -> Tensor:
        """The state after all blocks; of the shape of ``y``."""
        return self.states(y)[-1]

    def states(self, y: Tensor) -> list[Tensor]:
        """The state before the first block and after each."""
        states = [y]
        for block in self.blocks:
            states.append(states[-1] + block(states[-1]))
        return states
