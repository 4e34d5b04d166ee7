"""Images with their classes, read whole into memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from node_cli.errors import DataError
from node_cli.tasks.images.stratified import proportional_sizes, spread_over_classes


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their classes.

    Attributes:
        pixels: uint8 [N, C, H, W]: grey with C = 1, or red, green and blue.
        labels: int64 [N], the number of the class.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: Tensor) -> Images:
        """The images at ``chosen``, places or a mask."""
        return Images(self.pixels[chosen], self.labels[chosen])


@dataclass(frozen=True, eq=False)
class ImageSets:
    """A data set in its three parts.

    Attributes:
        name: as it stands beside every result.
        classes: the name of each label.
        train: images to learn from.
        validation: training images held out to choose the best checkpoint.
        test: images for the final figures only.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    validation: Images
    test: Images

    @property
    def channels(self) -> int:
        """Of the images: 1 or 3."""
        return self.train.pixels.shape[1]


def held_out(
    name: str, classes: tuple[str, ...], train: Images, test: Images, validation: int
) -> ImageSets:
    """Hold out ``validation`` training images.

    They are of each class in proportion to its count, evenly spaced over the class in file order,
    and do not depend on the seed: runs with different seeds are validated on the same images.

    Raises:
        DataError: no training image would be left.
    """
    if not 0 < validation < len(train):
        raise DataError(
            f"data.validation={validation}: must be an integer from 1 to {len(train) - 1}, because"
            f" {name} has {len(train)} training images."
        )
    counts = torch.bincount(train.labels, minlength=len(classes)).tolist()
    places = spread_over_classes(train.labels, proportional_sizes(counts, validation))
    remains = torch.ones(len(train), dtype=torch.bool)
    remains[places] = False
    return ImageSets(name, classes, train[remains], train[places], test)
