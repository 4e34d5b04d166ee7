"""The group ``data``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from node_cli.config.matrix import is_covariance
from node_cli.config.schema import (
    AsTuple,
    BetweenZeroAndOne,
    Count,
    NonNegative,
    Positive,
    Schema,
    Text,
)
from node_cli.config.series import SeriesConfig

TRAINING_IMAGES = {"mnist-mini": 6_000, "mnist": 60_000, "fashion-mnist": 60_000}


class ImagesConfig(Schema):
    """Images of ten classes, and their batches.

    Attributes:
        name: of the data set.
        root: folder of the data set's files, in torchvision's layout; null for ``mnist-mini``,
            which is inside the package.
        batch_size: images in a training batch.
        eval_batch_size: images in a batch of validation or test.
        validation: training images held out for validation.
        augment: random crops of the training images.
        download: fetch the files where ``root`` does not hold them.
    """

    name: Literal["mnist-mini", "mnist", "fashion-mnist"]
    root: Text | None
    batch_size: Count
    eval_batch_size: Count
    validation: Count
    augment: bool
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


class DensityConfig(Schema):
    """Points of a density in the plane: fresh ones in each step, fixed ones for evaluation.

    Attributes:
        batch_size: points in a training batch.
        batches: training batches in an epoch.
        eval_batch_size: points in a batch of validation or test.
        validation: points for validation.
        test: points for the test.
        scale: multiplies the coordinates; at 1 they fill about the square from -1 to 1.
    """

    batch_size: Count
    batches: Count
    eval_batch_size: Count
    validation: Count
    test: Count
    scale: Positive


class ShapeConfig(DensityConfig):
    """A shape with noise; ``noise`` is its standard deviation before ``scale``."""

    name: Literal[
        "circles", "rings", "moons", "two-spirals", "pinwheel", "8-gaussians", "swiss-roll"
    ]
    noise: NonNegative

    @model_validator(mode="after")
    def _gaussians_have_a_width(self) -> ShapeConfig:
        if self.name == "8-gaussians" and self.noise == 0:
            raise ValueError(
                "data.noise=0: is the standard deviation of the eight Gaussians; must be > 0."
            )
        return self


class CheckerboardConfig(DensityConfig):
    """Eight uniform squares."""

    name: Literal["checkerboard"]


Numbers = Annotated[tuple[float, ...], AsTuple, "a list of numbers"]
Rows = Annotated[tuple[Numbers, ...], AsTuple, "a list of lists of numbers"]


class MixtureConfig(DensityConfig):
    """A mixture of Gaussians, whose density is known.

    Attributes:
        weights: of the components; they need not sum to 1.
        means: ``[x, y]`` of each.
        covariances: a symmetric positive definite matrix of each, as two rows.
    """

    name: Literal["gaussian-mixture"]
    weights: Annotated[
        tuple[Positive, ...], AsTuple, Field(min_length=1), "a list of finite numbers > 0"
    ]
    means: Annotated[Rows, "a list of [x,y]"]
    covariances: Annotated[
        tuple[Rows, ...], AsTuple, "a list of [[a,b],[b,c]], symmetric and positive definite"
    ]

    @model_validator(mode="after")
    def _is_a_mixture(self) -> MixtureConfig:
        count = len(self.weights)
        if len(self.means) != count or any(len(mean) != 2 for mean in self.means):
            raise ValueError(f"data.means: must be {count} pairs [x,y], one for each weight.")
        if len(self.covariances) != count or not all(
            len(rows) == 2 and is_covariance(rows) for rows in self.covariances
        ):
            raise ValueError(
                f"data.covariances: must be {count} matrices [[a,b],[b,c]], one for each weight,"
                " symmetric and positive definite."
            )
        return self


class ImageConfig(DensityConfig):
    """Points of a picture, as likely as its pixels are bright.

    Attributes:
        path: of the picture.
        invert: dark pixels are likely, instead of bright ones.
    """

    name: Literal["image"]
    path: Text | None
    invert: bool

    @model_validator(mode="after")
    def _has_a_file(self) -> ImageConfig:
        if self.path is None:
            raise ValueError("data=image needs a picture: give data.path=FILE.")
        return self


class TableConfig(Schema):
    """Rows of numbers from a file, shuffled, split and standardised.

    Attributes:
        path: of a .csv or a .npy file.
        batch_size: rows in a training batch.
        eval_batch_size: rows in a batch of validation or test.
        validation: share of the rows for validation.
        test: share of the rows for the test.
    """

    name: Literal["table"]
    path: Text | None
    batch_size: Count
    eval_batch_size: Count
    validation: BetweenZeroAndOne
    test: BetweenZeroAndOne

    @model_validator(mode="after")
    def _has_a_file_and_three_parts(self) -> TableConfig:
        if self.path is None:
            raise ValueError("data=table needs a file: give data.path=FILE, a .csv or a .npy.")
        if self.validation + self.test >= 1:
            raise ValueError(
                f"data.validation={self.validation:g} data.test={self.test:g}: together they must"
                " be below 1, so that rows are left for training."
            )
        return self


PlaneConfig = ShapeConfig | CheckerboardConfig | MixtureConfig | ImageConfig
DataConfig = Annotated[
    ImagesConfig | PlaneConfig | TableConfig | SeriesConfig, Field(discriminator="name")
]
