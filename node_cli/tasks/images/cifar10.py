"""CIFAR-10 (Krizhevsky 2009), by torchvision's reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from node_cli.errors import DataError
from node_cli.run_folder.own_files import absolute
from node_cli.tasks.images.download import download
from node_cli.tasks.images.labelled_images import Images, ImageSets, held_out

if TYPE_CHECKING:
    from node_cli.tasks.images.schema import ImagesConfig


def read_cifar10(config: ImagesConfig) -> ImageSets:
    """Read the images as torchvision lays them out, in ``<root>/cifar-10-batches-py``.

    The files are pickles: torchvision compares each with the checksum it knows before it is read,
    so that nothing else is unpickled.

    Raises:
        DataError: a file is missing (or could not be downloaded) or damaged, or no training image
            would be left.
    """
    from torchvision.datasets import CIFAR10  # takes a second to import, and few runs need it
    from torchvision.datasets.utils import check_integrity

    assert config.root is not None
    root = absolute(Path(config.root))
    folder = root / CIFAR10.base_folder
    meta = CIFAR10.meta
    checksums = {**dict(CIFAR10.train_list + CIFAR10.test_list), meta["filename"]: meta["md5"]}
    missing = [name for name in checksums if not (folder / name).exists()]
    if missing and not config.download:
        raise DataError(
            f"{folder}: {', '.join(missing)} missing, and data.download=false. Name the folder that"
            f" holds {CIFAR10.base_folder} with data.root=PATH, or allow the download with"
            " data.download=true."
        )
    if missing:
        download("CIFAR10", root, missing)
    for name, checksum in checksums.items():
        if not check_integrity(folder / name, checksum):
            raise DataError(
                f"{folder / name}: its checksum is not that of CIFAR-10. Delete it and download it"
                " again."
            )
    train, test = (CIFAR10(root, train=part) for part in (True, False))
    classes = tuple(train.classes)
    return held_out(config.name, classes, _images(train), _images(test), config.validation)


def _images(part: Any) -> Images:
    pixels = torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous()
    return Images(pixels, torch.tensor(part.targets))
