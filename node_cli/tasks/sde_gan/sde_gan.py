"""A neural SDE that generates paths, and a neural CDE that judges them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from node_cli.data.path_seeds import path_seed
from node_cli.data.random_streams import random_stream
from node_cli.methods import Calculus, Noise
from node_cli.models.sde_solve import SdeSolve
from node_cli.solving.sde import DrivingPath, SdeSpec
from node_cli.tasks.sde_gan.networks import perceptron, vector_field
from node_cli.tasks.sde_gan.schema import SdeGanConfig
from node_cli.tasks.sde_gan.stream import Draw

_FIRST_SPREAD = 3.0  # of the first weights that make initial states, as in torchsde's example


class _Equation(nn.Module):
    """Drift and diffusion of a state and of the time, as a share of the length of a path.

    Args:
        config: the ``model`` group.
        channels: of what drives it, M.
        points: of a path, at the times 0, 1, 2, ...
        spec: how it is solved.
    """

    calculus: Calculus = "stratonovich"
    noise: Noise = "general"

    def __init__(self, config: SdeGanConfig, channels: int, points: int, spec: SdeSpec) -> None:
        super().__init__()
        state, hidden = config.state, config.hidden
        self.noise_size = channels
        self.times = [float(point) for point in range(points)]
        self.to_drift = vector_field(1 + state, hidden, state)
        self.to_diffusion = vector_field(1 + state, hidden, state * channels)
        self.solve = SdeSolve(spec)

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        """``[B, state]``."""
        drift: Tensor = self.to_drift(self._told(t, y))
        return drift

    def diffusion(self, t: Tensor, y: Tensor) -> Tensor:
        """``[B, state, M]``."""
        diffusion: Tensor = self.to_diffusion(self._told(t, y))
        return diffusion.view(*y.shape, self.noise_size)

    def _told(self, t: Tensor, y: Tensor) -> Tensor:
        return torch.cat(((t / self.times[-1]).expand(len(y), 1), y), dim=1)


class Generator(_Equation):
    r"""The neural SDE (Kidger et al. 2021, equation 1), in the sense of Stratonovich.

    .. math:: x_0 = \zeta(V), \qquad dx = f(t, x)\, dt + g(t, x) \circ dW, \qquad
              y = \alpha x + \beta

    with a standard normal V.
    """

    def __init__(self, config: SdeGanConfig, points: int, spec: SdeSpec) -> None:
        super().__init__(config, config.noise, points, spec)
        self._start_noise = config.start_noise
        self.to_start = perceptron(config.start_noise, config.hidden, config.state)
        with torch.no_grad():  # so that paths begin apart from each other
            for parameter in self.to_start.parameters():
                parameter.mul_(_FIRST_SPREAD)
        self.readout = nn.Linear(config.state, 1)

    def forward(self, count: int, seed: int) -> Tensor:
        """Paths ``[count, points]``, a pure function of the weights and the seed."""
        weight = self.readout.weight
        stream = random_stream(seed, Draw.START)
        start = torch.randn(count, self._start_noise, generator=stream).to(weight)
        solved = self.solve(self, self.to_start(start), self.times, path_seed(seed, 0))
        paths: Tensor = self.readout(solved.values)
        return paths.squeeze(-1).T


class Discriminator(_Equation):
    r"""The neural CDE (Kidger et al. 2021, equation 2), driven by the path that it judges.

    .. math:: h_0 = \xi(y_0), \qquad dh = f(t, h)\, dt + g(t, h) \circ dy, \qquad
              D = m \cdot h_T + b
    """

    def __init__(self, config: SdeGanConfig, points: int, spec: SdeSpec) -> None:
        super().__init__(config, 1, points, spec)
        self.to_start = perceptron(1, config.hidden, config.state)
        self.readout = nn.Linear(config.state, 1)

    def forward(self, paths: Tensor) -> Tensor:
        """Scores ``[B]`` of paths ``[B, points]``, which are linear between their points."""
        driving = DrivingPath(self.times, paths.T.unsqueeze(-1))
        start = self.to_start(paths[:, :1])
        solved = self.solve(self, start, (self.times[0], self.times[-1]), driving)
        scores: Tensor = self.readout(solved.values[-1])
        return scores.squeeze(-1)


class Losses(NamedTuple):
    """Of a training batch.

    Attributes:
        apart: the mean score of generated paths less that of the data's, which the discriminator
            makes small and the generator large.
        penalty: the mean of (|dD/dy| - 1)^2, without its weight.
    """

    apart: Tensor
    penalty: Tensor


class SdeGan(nn.Module):
    """Generator, discriminator, and the moving average of the generator's weights.

    Args:
        config: the ``model`` group.
        points: of a path.
        spec: how both are solved.
    """

    def __init__(self, config: SdeGanConfig, points: int, spec: SdeSpec) -> None:
        super().__init__()
        self.generator = Generator(config, points, spec)
        self.discriminator = Discriminator(config, points, spec)
        self._factor = config.average
        self.averaged = AveragedModel(self.generator, avg_fn=self._average)
        self.averaged.requires_grad_(False)

    def forward(self, count: int, seed: int) -> Tensor:
        """Paths ``[count, points]`` by the averaged weights."""
        paths: Tensor = self.averaged(count, seed)
        return paths

    def losses(self, data: Tensor, seed: int) -> Losses:
        """Of paths ``[B, points]`` and of as many that are generated.

        The generator's gradients have the other sign, so that one step of an optimizer makes
        ``apart`` smaller by the discriminator and larger by the generator. The penalty (Gulrajani
        et al. 2017) is taken between data and generated paths, half a batch of them, and reaches
        the discriminator alone.
        """
        self.averaged.update_parameters(self.generator)  # of the step before
        generated = self.generator(len(data), seed)
        turned = 2 * generated.detach() - generated  # the same values
        of_generated, of_data = self.discriminator(torch.cat((turned, data))).chunk(2)
        apart = of_generated.mean() - of_data.mean()
        half = (len(data) + 1) // 2
        share = torch.rand(half, 1, generator=random_stream(seed, Draw.MIXTURE)).to(data)
        between = torch.lerp(
            generated.detach()[:half].to(data), data[:half], share
        ).requires_grad_()
        (slope,) = torch.autograd.grad(
            self.discriminator(between).sum(), between, create_graph=True
        )
        steepness = (slope.square().sum(dim=1) + 1e-12).sqrt()
        return Losses(apart, (steepness - 1).square().mean())

    def _average(self, averaged: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
        """With less of the past at the beginning, where the weights move fast."""
        factor = min(self._factor, (1 + int(count)) / (10 + int(count)))
        return torch.lerp(now, averaged, factor)
