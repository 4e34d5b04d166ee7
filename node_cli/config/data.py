"""The group ``data``."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from node_cli.config.schema import Count, Schema, Text

TRAINING_IMAGES = {"mnist-mini": 6_000, "mnist": 60_000, "fashion-mnist": 60_000}


class DataConfig(Schema):
    """A data set and its batches.

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
    def _has_its_files_and_images(self) -> DataConfig:
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
