"""Batches of images that lie in memory as a whole; no worker processes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from node_cli.data.random_streams import random_stream
from node_cli.errors import DataError
from node_cli.tasks.images.labelled_images import Images
from node_cli.tasks.images.stream import Stream

CROP_PADDING = 4


class TrainBatches:
    """Shuffled training batches, each a pure function of the seed, the epoch and its index.

    So a run that is resumed in the middle of an epoch needs no state of a loader. Random numbers
    are drawn on the CPU: order and crops are the same on every device.

    With ``augment``, each image is padded by 4 pixels of background on each side and cropped to
    its size again at a random place: a shift of at most 4 pixels in each direction.

    Args:
        images: pixels uint8 [N, C, H, W], labels int64 [N].
        batch_size: B; the images of an epoch that do not fill a batch are left out.
        augment: crop at random.
        seed: of the order and the crops, not negative.
        device: where the images are kept, as uint8, and the batches made.

    Raises:
        DataError: there are fewer images than one batch takes.
    """

    def __init__(
        self, images: Images, batch_size: int, augment: bool, seed: int, device: torch.device
    ) -> None:
        if len(images) < batch_size:
            raise DataError(
                f"data.batch_size={batch_size}: must be at most {len(images)}, the number of"
                " training images that data.validation leaves."
            )
        height, width = images.pixels.shape[-2:]
        margin = CROP_PADDING if augment else 0
        padded = functional.pad(images.pixels, (margin,) * 4).to(device)
        self._strides = padded.stride()
        self._crops = _crops(padded, height, width)
        self._labels = images.labels.to(device)
        self._offsets = 2 * margin + 1
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._shuffled: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.int64))

    def __len__(self) -> int:
        """Full batches in an epoch."""
        return len(self._labels) // self._batch_size

    def batch(self, epoch: int, index: int) -> tuple[Tensor, Tensor]:
        """Make the batch at ``index`` of ``epoch``, both counted from 0.

        Returns:
            Images, float32 [B, C, H, W] from 0 to 1, and labels, int64 [B].
        """
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        start = index * self._batch_size
        places = self._order(epoch)[start : start + self._batch_size]
        generator = random_stream(self._seed, Stream.CROPS, epoch, index)
        down, right = torch.randint(self._offsets, (2, self._batch_size), generator=generator)
        image, _, row, column = self._strides
        corners = places * image + down * row + right * column
        corners, places = torch.stack((corners, places)).to(self._device, non_blocking=True)
        return unit_floats(self._crops.index_select(0, corners)), self._labels[places]

    def _order(self, epoch: int) -> Tensor:
        """Permutation of all images, int64 [N]; the last one asked for is kept."""
        if self._shuffled[0] != epoch:
            generator = random_stream(self._seed, Stream.ORDER, epoch)
            self._shuffled = (epoch, torch.randperm(len(self._labels), generator=generator))
        return self._shuffled[1]


class EvalBatches:
    """All images once, in the order of the file, the last batch as large as what remains.

    Args:
        images: pixels uint8 [N, C, H, W], labels int64 [N].
        batch_size: B.
        device: where the images are kept, as uint8, and the batches made.
    """

    def __init__(self, images: Images, batch_size: int, device: torch.device) -> None:
        self._pixels = images.pixels.to(device)
        self._labels = images.labels.to(device)
        self._starts = range(0, len(images), batch_size)
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images, float32 [B, C, H, W] from 0 to 1, and labels, int64 [B]."""
        for start in self._starts:
            batch = slice(start, start + self._batch_size)
            yield unit_floats(self._pixels[batch]), self._labels[batch]


def _crops(padded: Tensor, height: int, width: int) -> Tensor:
    """All crops of all images, [., C, height, width], by the place of their first pixel in memory.

    A view: it takes no memory, and a batch of crops is one gather along the first dimension.
    """
    channels = padded.shape[1]
    _, channel, row, column = padded.stride()
    last = (channels - 1) * channel + (height - 1) * row + (width - 1) * column
    shape = (padded.numel() - last, channels, height, width)
    return padded.as_strided(shape, (1, channel, row, column))


def unit_floats(pixels: Tensor) -> Tensor:
    """Pixels uint8 as networks take them: float32 from 0 to 1, of the same shape."""
    return pixels.to(torch.float32).div_(255)
