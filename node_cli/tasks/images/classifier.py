"""Image classifiers: a downsampling stem, a block of depth, a linear head."""

from __future__ import annotations

from torch import Tensor, nn

from node_cli.models.ode_solve import ODEBlock
from node_cli.solving import SolveSpec
from node_cli.tasks.images.euler_block import EulerBlock
from node_cli.tasks.images.field import ImageField
from node_cli.tasks.images.larger_state import AugmentedBlock, SecondOrderBlock
from node_cli.tasks.images.normalization import group_norm
from node_cli.tasks.images.residual import ResidualBlock
from node_cli.tasks.images.schema import (
    EulerNetConfig,
    ImageClassifierConfig,
    ImageModel,
    OdeClassifierConfig,
    OdeNetConfig,
    ResNetConfig,
    SonodeConfig,
)


class ImageClassifier(nn.Module):
    """The networks of Chen et al. 2018, section 3, as torchdiffeq's MNIST example has them.

    They differ in the block of depth alone: an ODE (``odenet``, and ``rk-net``, which is
    backpropagated directly), one of second order (``sonode``), residual blocks (``resnet``) or
    Euler steps (``euler-net``).

    Args:
        config: the ``model`` group.
        spec: how an ODE block is solved; the other models do not use it.
        classes: number of classes.
        colours: channels of the images: 1 or 3.
    """

    def __init__(
        self,
        config: ImageClassifierConfig,
        spec: SolveSpec,
        classes: int = 10,
        colours: int = 1,
    ) -> None:
        super().__init__()
        make_stem = _residual_stem if config.stem == "residual" else _conv_stem
        self.stem = make_stem(colours, config.channels)
        self.depth = _depth(config, spec)
        channels = config.channels
        if isinstance(config, OdeNetConfig):
            channels += config.augment_dim
        self.head = nn.Sequential(
            group_norm(channels),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of images ``[N, colours, H, W]`` with values in ``[0, 1]``."""
        logits: Tensor = self.head(self.depth(self.stem(images)))
        return logits


def _conv_stem(colours: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(colours, channels, 3),
        group_norm(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 4, stride=2, padding=1),
        group_norm(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 4, stride=2, padding=1),
    )


def _residual_stem(colours: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(colours, channels, 3),
        ResidualBlock(channels, stride=2),
        ResidualBlock(channels, stride=2),
    )


def _depth(config: ImageClassifierConfig, spec: SolveSpec) -> nn.Module:
    if isinstance(config, ResNetConfig):
        return nn.Sequential(*(ResidualBlock(config.channels) for _ in range(config.blocks)))
    if isinstance(config, EulerNetConfig):
        return EulerBlock(lambda: ImageField(config.channels), config.blocks, config.T, config.tied)
    assert isinstance(config, OdeClassifierConfig)
    if isinstance(config, SonodeConfig):
        return SecondOrderBlock(config, spec)
    if isinstance(config, OdeNetConfig) and config.augment_dim:
        return AugmentedBlock(config, spec)
    field: nn.Module = ImageField(config.channels)
    if isinstance(config, ImageModel):
        field = config.field(config.channels)
    return ODEBlock(field, spec, config.T, config.learn_time)
