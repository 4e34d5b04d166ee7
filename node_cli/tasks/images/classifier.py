"""Image classifiers: a downsampling stem, a block of depth, a linear head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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


class SeenImages(NamedTuple):
    """What a classifier has been trained on, so that it can be used without it.

    Attributes:
        classes: the name of each.
        shape: channels, height and width.
    """

    classes: Sequence[str]
    shape: tuple[int, int, int]


class ImageClassifier(nn.Module):
    """The networks of Chen et al. 2018, section 3, as torchdiffeq's MNIST example has them.

    They differ in the block of depth alone: an ODE (``odenet``, and ``rk-net``, which is
    backpropagated directly), one of second order (``sonode``), residual blocks (``resnet``) or
    Euler steps (``euler-net``).

    Args:
        config: the ``model`` group.
        depth: how an ODE block is solved, which the other models do not use; or the block itself.
        classes: number of classes.
        colours: channels of the images: 1 or 3.

    Attributes:
        seen: what the images of its training were like, for its checkpoints; None: nobody has told.
    """

    seen: SeenImages | None = None

    def __init__(
        self,
        config: ImageClassifierConfig,
        depth: SolveSpec | nn.Module,
        classes: int = 10,
        colours: int = 1,
    ) -> None:
        super().__init__()
        make_stem = _residual_stem if config.stem == "residual" else _conv_stem
        self.stem = make_stem(colours, config.channels)
        self.depth = depth if isinstance(depth, nn.Module) else _depth(config, depth)
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

    def get_extra_state(self) -> dict[str, Any]:
        """What it has been trained on, for the checkpoint."""
        if self.seen is None:
            return {}
        return {"classes": list(self.seen.classes), "shape": list(self.seen.shape)}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Take it from a checkpoint."""
        self.seen = _seen(state)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of images ``[N, colours, H, W]`` with values in ``[0, 1]``."""
        logits: Tensor = self.head(self.depth(self.stem(images)))
        return logits


def seen_in(state: Mapping[str, Any]) -> SeenImages | None:
    """What a classifier has been trained on, from its ``state_dict``; None: it does not say."""
    return _seen(state.get("_extra_state", {}))


def _seen(state: Mapping[str, Any]) -> SeenImages | None:
    if not state:
        return None
    channels, height, width = map(int, state["shape"])
    return SeenImages(tuple(map(str, state["classes"])), (channels, height, width))


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
