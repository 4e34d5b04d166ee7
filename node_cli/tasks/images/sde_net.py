"""An image classifier that knows what it does not know (Kong et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from node_cli.data.path_seeds import path_seed
from node_cli.data.random_streams import random_stream
from node_cli.methods import Calculus, Noise
from node_cli.models.sde_solve import SdeSolve
from node_cli.solving.sde import SdeSpec
from node_cli.tasks.images.classifier import ImageClassifier
from node_cli.tasks.images.field import ImageField
from node_cli.tasks.images.normalization import group_norm
from node_cli.tasks.images.schema import SdeNetConfig


class SdeNet(ImageClassifier):
    r"""An ODE-Net whose state diffuses the more, the less an image is like those of training.

    .. math:: dy = f(t, y)\,dt + g(y_0)\,dW, \qquad g = \sigma\, \mathrm{sigmoid}(h(y_0))

    The logit h is trained to tell images of the data from the same with noise on them, and the
    rest by the cross-entropy of one path of each image; neither reaches the other's weights (Kong
    et al. 2020, section 3.2). An answer is the mean over paths: those of an image that is like none
    of the data part, and the answer is unsure.

    Args:
        config: the ``model`` group.
        spec: how the SDE is solved.
        classes: number of classes.
        colours: channels of the images: 1 or 3.
    """

    depth: SdeBlock

    def __init__(
        self, config: SdeNetConfig, spec: SdeSpec, classes: int = 10, colours: int = 1
    ) -> None:
        super().__init__(config, SdeBlock(config, spec), classes, colours)
        self._noise, self._samples = config.noise, config.samples

    def forward(self, images: Tensor, seed: int = 0) -> Tensor:
        """Answers, see ``log_probabilities``."""
        return self.log_probabilities(images, seed)

    def losses(self, images: Tensor, labels: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Of a training batch: two losses in nats, and the logits of a path.

        Args:
            images: ``[N, colours, H, W]``.
            labels: ``[N]``.
            seed: of the paths and of the noise.

        Returns:
            The cross-entropy; that of telling images from noisy ones; logits ``[N, classes]``.
        """
        state = self.stem(images)
        logits = self.head(self.depth(state, path_seed(seed, 0)))
        noise = torch.randn(images.shape, generator=random_stream(seed, 1)).to(images)
        with torch.no_grad():
            unlike = self.stem(images + self._noise * noise)
        doubt = self.depth.doubt(torch.cat((state.detach(), unlike)))
        truth = torch.cat((torch.zeros_like(labels), torch.ones_like(labels))).to(doubt)
        told_apart = functional.binary_cross_entropy_with_logits(doubt, truth)
        return functional.cross_entropy(logits, labels), told_apart, logits

    def log_probabilities(self, images: Tensor, seed: int) -> Tensor:
        """The logarithms of the means over paths, ``[N, classes]``."""
        each = torch.stack(list(self._of_each_path(images, seed)))
        return each.logsumexp(dim=0) - math.log(self._samples)

    def _of_each_path(self, images: Tensor, seed: int) -> Iterator[Tensor]:
        state = self.stem(images)
        for number in range(self._samples):
            final = self.depth(state, path_seed(seed, number))
            yield self.head(final).float().log_softmax(dim=1)


class SdeBlock(nn.Module):
    """The SDE in the place of the ODE block.

    Args:
        config: the ``model`` group.
        spec: how it is solved.
    """

    def __init__(self, config: SdeNetConfig, spec: SdeSpec) -> None:
        super().__init__()
        channels = config.channels
        self.field = ImageField(channels)
        self._doubt = nn.Sequential(
            group_norm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            group_norm(channels),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, 1),
        )
        self.solve = SdeSolve(spec)
        self._end_time, self._sigma = config.T, config.sigma

    def forward(self, state: Tensor, seed: int) -> Tensor:
        """The state at T of a path from each ``[N, channels, H, W]``, of their shape."""
        with torch.no_grad():  # the cross-entropy would only ever make it smaller
            scale = self._sigma * self.doubt(state).sigmoid()
        sde = _Diffusing(self.field, scale.view(-1, 1, 1, 1))
        solved = self.solve(sde, state, (0.0, self._end_time), seed, tuple(self.field.parameters()))
        final: Tensor = solved.values[-1]
        return final

    def doubt(self, state: Tensor) -> Tensor:
        """h: logits ``[N]`` of being unlike the data, of initial states."""
        logits: Tensor = self._doubt(state).squeeze(1)
        return logits


class _Diffusing:
    """The SDE of one batch, whose diffusion ``[N, 1, 1, 1]`` stays as it began."""

    calculus: Calculus = "ito"
    noise: Noise = "diagonal"
    noise_size = 0

    def __init__(self, field: nn.Module, scale: Tensor) -> None:
        self._field, self._scale = field, scale

    def drift(self, t: Tensor, y: Tensor) -> Tensor:
        drift: Tensor = self._field(t, y)
        return drift

    def diffusion(self, t: Tensor, y: Tensor) -> Tensor:
        return self._scale.to(y.dtype).expand_as(y)

    def prior_drift(self, t: Tensor, y: Tensor) -> Tensor:
        return torch.zeros_like(y)
