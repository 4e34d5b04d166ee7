"""The settings of images and of their classifiers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from node_cli.methods import Stochastic
from node_cli.schema.base import AsTuple, BetweenZeroAndOne, Count, Positive, Text, Whole
from node_cli.schema.data import DataSchema
from node_cli.schema.model import ModelSchema
from node_cli.tasks.own_settings import OwnField

if TYPE_CHECKING:
    from torch import nn

    from node_cli.schema.run import RunConfig

TRAINING_IMAGES = {
    "mnist-mini": 6_000,
    "mnist": 60_000,
    "fashion-mnist": 60_000,
    "cifar10": 50_000,
}
SMALLEST_SIDE = 16  # in pixels: both stems leave at least 3x3 of it
LARGEST_SIDE = 4096
Side = Annotated[
    int,
    Field(ge=SMALLEST_SIDE, le=LARGEST_SIDE),
    f"an integer from {SMALLEST_SIDE} to {LARGEST_SIDE}",
]


class ImageClassifierConfig(ModelSchema):
    """What all image classifiers share.

    Attributes:
        stem: how the image is downsampled.
        channels: of the stem's output and of the block of depth.
    """

    stem: Literal["conv", "residual"]
    channels: Count

    @field_validator("channels")
    @classmethod
    def _fills_the_groups(cls, channels: int) -> int:
        if channels > 32 and channels % 32:
            below = channels - channels % 32
            raise ValueError(
                f"model.channels={channels}: must be at most 32 or a multiple of 32, because of"
                f" group normalisation; the nearest are {below} and {below + 32}."
            )
        return channels


class OdeClassifierConfig(ImageClassifierConfig):
    """``y(0) -> y(T)`` in the place of a block of depth; with ``learn_time``, T is a parameter."""

    T: Positive
    learn_time: bool

    @property
    def interval(self) -> float:
        """From 0 to T."""
        return self.T


class ImageModel(OdeClassifierConfig, OwnField):
    """The settings of an ODE-Net with a vector field of the user's own, for mnist-odenet.

    A subclass has a ``name``, settings of its own and ``field``.
    """

    tasks: ClassVar[tuple[str, ...]] = ("mnist-odenet",)

    stem: Literal["conv", "residual"] = "conv"
    """How the image is downsampled to 6x6 or 7x7."""
    channels: Count = 64
    """Of the state."""
    T: Positive = 1.0
    """The ODE is solved from 0 to T."""
    learn_time: bool = False
    """T is a parameter and starts at the value above."""

    @abstractmethod
    def field(self, channels: int) -> nn.Module:
        """The vector field.

        Args:
            channels: of the state.

        Returns:
            A module: called as ``field(t, y)`` with ``t`` a scalar tensor and states ``y``
            ``[B, channels, H, W]``, it gives dy/dt, of the shape of ``y``.
        """


class OdeNetConfig(OdeClassifierConfig):
    """ODE-Net, and RK-Net, which is backpropagated through its solver.

    Attributes:
        augment_dim: channels that are added to the state; they start at 0 (Dupont et al. 2019).
    """

    name: Literal["odenet", "rk-net"]
    augment_dim: Whole = 0  # runs from before it have none

    def disagreements(self, config: RunConfig) -> Iterator[str]:
        """What RK-Net, which is backpropagated through its solver, does not go with."""
        if self.name != "rk-net":
            return
        if not config.solver.is_one_step:
            yield (
                f"model=rk-net solver={config.solver.name}: RK-Net is backpropagated through a"
                " Runge-Kutta solver; use one such as solver=dopri5 or solver=rk4, or"
                " model=odenet."
            )
        if config.adjoint.mode != "direct":
            yield (
                f"model=rk-net adjoint={config.adjoint.mode}: RK-Net is backpropagated directly;"
                " use adjoint=direct, or model=odenet."
            )


class SonodeConfig(OdeClassifierConfig):
    """An ODE-Net of second order (Norcliffe et al. 2020).

    Attributes:
        velocity: the initial one: ``learned`` from the initial state, or ``zero``.
    """

    name: Literal["sonode"]
    velocity: Literal["learned", "zero"]


class SdeNetConfig(ImageClassifierConfig):
    """An ODE-Net whose state diffuses where images are unlike those of training (SDE-Net).

    Attributes:
        T: the SDE is solved from 0 to T.
        sigma: the largest diffusion.
        noise: standard deviation of the noise on images from which the diffusion learns what is
            unlike the data; their pixels are from 0 to 1.
        samples: paths of an answer, in the evaluation.
    """

    name: Literal["sde-net"]
    T: Positive
    sigma: Positive
    noise: Positive
    samples: Count

    @property
    def stochastic(self) -> Stochastic:
        """Its diffusion does not depend on the state, so that both calculi mean the same."""
        return Stochastic("ito", "diagonal")


class ResNetConfig(ImageClassifierConfig):
    """Residual blocks in the place of the ODE."""

    name: Literal["resnet"]
    blocks: Count


class EulerNetConfig(ImageClassifierConfig):
    """``blocks`` Euler steps of ``T / blocks``; ``tied``: all of one vector field."""

    name: Literal["euler-net"]
    T: Positive
    blocks: Count
    tied: bool


class LabelledImagesConfig(DataSchema):
    """Images with classes, and their batches.

    Attributes:
        batch_size: images in a training batch.
        eval_batch_size: images in a batch of validation or test.
        augment: random crops of the training images.
    """

    augment: bool


class ImagesConfig(LabelledImagesConfig):
    """A published set of images of ten classes.

    Attributes:
        name: of the data set.
        root: folder of the data set's files, in torchvision's layout; null for ``mnist-mini``,
            which is inside the package.
        validation: training images held out for validation.
        download: fetch the files where ``root`` does not hold them.
    """

    name: Literal["mnist-mini", "mnist", "fashion-mnist", "cifar10"]
    root: Text | None
    validation: Count
    download: bool

    @model_validator(mode="after")
    def _has_its_files_and_images(self) -> ImagesConfig:
        if self.name == "mnist-mini" and (self.root is not None or self.download):
            given = "data.download=true" if self.root is None else f"data.root={self.root}"
            raise ValueError(
                f"{given}: mnist-mini is inside the package and needs neither data.root nor"
                " data.download. Did you mean data=mnist?"
            )
        if self.name != "mnist-mini" and self.root is None:
            raise ValueError(f"data.root=null: {self.name} needs the folder of its files.")
        images = TRAINING_IMAGES[self.name]
        if self.validation >= images:
            raise ValueError(
                f"data.validation={self.validation}: must be an integer from 1 to {images - 1},"
                f" because {self.name} has {images} training images."
            )
        return self


class ImageFolderConfig(LabelledImagesConfig):
    """Your own images, in a folder for each class.

    Attributes:
        path: of the folder that holds those of the classes, or folders ``train``, ``val`` and
            ``test`` that hold them.
        size: in pixels, of a square or height and width, to which the images are brought; null:
            they are taken as they are, all of one size.
        mode: ``grey`` or ``rgb``, to which they are converted; null: they are taken as they are,
            all grey or all in colours.
        validation: share of the images of each class, where there is no folder ``val``.
        test: likewise.
    """

    name: Literal["image-folder"]
    path: Text | None
    size: (
        Side
        | Annotated[
            tuple[Side, Side], AsTuple, f"a list of height and width, such as [{SMALLEST_SIDE},40]"
        ]
        | None
    )
    mode: Literal["grey", "rgb"] | None
    validation: BetweenZeroAndOne
    test: BetweenZeroAndOne

    @model_validator(mode="after")
    def _has_a_folder_and_three_parts(self) -> ImageFolderConfig:
        if self.path is None:
            raise ValueError(
                "data=image-folder needs a folder: give data.path=FOLDER, which holds a folder of"
                " PNG or JPEG images for each class."
            )
        if self.validation + self.test >= 1:
            raise ValueError(
                f"data.validation={self.validation:g} data.test={self.test:g}: together they must"
                " be below 1, so that images are left for training."
            )
        return self
