"""Images of the user's own, to be classified: IDX, NumPy and PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from node_cli.data.npy_file import read_npy
from node_cli.errors import DataError
from node_cli.plain_text import plain_text
from node_cli.tasks.images.batches import unit_floats
from node_cli.tasks.images.idx import read_idx

_IDX = b"\0\0\x08"
_KINDS = "an IDX file (gzipped or not), a .npy file, a .png file or a folder of .png files"
_WHOLE = 255  # the brightest pixel


class Shape(NamedTuple):
    """What the images of a run are like."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        """As in a message."""
        kind = "grey" if self.channels == 1 else f"of {self.channels} channels"
        return f"images of {self.height} x {self.width} pixels, {kind}"


def read_own_images(path: Path, shape: Shape) -> tuple[Tensor, list[str]]:
    """Read all images of a file or a folder.

    Whole numbers are pixels from 0 to 255; floats are from 0 to 1.

    Args:
        path: of the file, or of a folder whose ``.png`` files are read in the order of their names,
            those in its folders too.
        shape: that each must have.

    Returns:
        Images as a model takes them, float32 ``[N, C, H, W]`` from 0 to 1, and the name of each;
        no names where they are in one array.

    Raises:
        DataError: it is missing or cut, or holds something else; says what.
    """
    where = f"INPUT {path}"
    if path.is_dir():
        return _folder(path, where, shape)
    if not path.is_file():
        raise DataError(f"{where}: there is no such file; give {_KINDS}.")
    try:
        if path.suffix.lower() == ".png":
            return _png(path, where, shape).unsqueeze(0), [path.name]
        if path.suffix == ".npy":
            return _numbers(read_npy(path, where), where, shape), []
        if path.suffix != ".gz" and not _begins_with(path, _IDX):
            raise DataError(f"{where}: this is no file of images; give {_KINDS}.")
    except OSError as error:
        raise DataError(f"{where}: this file cannot be read ({error}).") from error
    return _numbers(read_idx(path).numpy(), where, shape), []


def _begins_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _folder(path: Path, where: str, shape: Shape) -> tuple[Tensor, list[str]]:
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and not any(part[:1] == "." for part in file.relative_to(path).parts)
    )
    names = [plain_text(str(file.relative_to(path))) for file in files]
    for file, name in zip(files, names, strict=True):
        if file.suffix.lower() != ".png":
            raise DataError(f"{where}: {name} is no .png file; give a folder of such files alone.")
    if not files:
        raise DataError(f"{where}: there is no .png file in this folder; give {_KINDS}.")
    return torch.stack([_png(file, f"INPUT {file}", shape) for file in files]), names


def _png(path: Path, where: str, shape: Shape) -> Tensor:
    """One image, float32 ``[C, H, W]``."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.size != (shape.width, shape.height):
                raise _unlike(where, f"one of {image.height} x {image.width} pixels", shape)
            if image.mode.startswith(("I", "F")):
                raise DataError(f"{where}: its pixels have 16 bits; save it with 8 bits a channel.")
            pixels = np.asarray(image.convert("RGBA"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: this is no whole PNG file ({error}).") from error
    colours, opacity = pixels[..., :3], pixels[..., 3]
    if bool((opacity < _WHOLE).any()):
        raise DataError(f"{where}: parts of it are transparent; save it with a background.")
    if shape.channels == 1:
        if bool((colours != colours[..., :1]).any()):
            raise _unlike(where, "one in colours", shape)
        colours = colours[..., :1]
    return unit_floats(torch.from_numpy(colours.copy()).permute(2, 0, 1))


def _numbers(values: np.ndarray, where: str, shape: Shape) -> Tensor:
    """Images in one array, float32 ``[N, C, H, W]``."""
    images = _in_order(values, shape)
    if images is None or not images.size:
        found = " x ".join(map(str, values.shape)) or "a single number"
        raise _unlike(where, f"an array of {found}", shape)
    if images.dtype.kind == "b":
        return torch.from_numpy(images.astype(np.float32))
    if images.dtype.kind == "f":
        if not bool(((images >= 0) & (images <= 1)).all()):  # false for NaN too
            raise DataError(
                f"{where}: it holds floats beyond 0 to 1, or none; give whole numbers from 0 to"
                f" {_WHOLE}, or divide it by its largest value."
            )
        return torch.from_numpy(images.astype(np.float32))
    least, largest = int(images.min()), int(images.max())
    if least < 0 or largest > _WHOLE:
        raise DataError(
            f"{where}: its pixels are from {least} to {largest}; they must be from 0 to {_WHOLE}."
        )
    if largest == 1:
        raise DataError(
            f"{where}: its brightest pixel is 1 of {_WHOLE}, so that all is black; multiply it by"
            f" {_WHOLE}, or give floats from 0 to 1."
        )
    return unit_floats(torch.from_numpy(images.astype(np.uint8)))


def _in_order(values: np.ndarray, shape: Shape) -> np.ndarray | None:
    """``[N, C, H, W]``, of one image or many, whose channels may stand last; None: of others."""
    many = values.ndim >= 3 and values.shape[1:] in _forms(shape)
    if not many and values.shape not in _forms(shape):
        return None
    images = values if many else values[None]
    if images.ndim == 3:
        return images[:, None]
    return images if images.shape[1:] == shape else images.transpose(0, 3, 1, 2)


def _forms(shape: Shape) -> list[tuple[int, ...]]:
    channels, height, width = shape
    plain = [(height, width)] if channels == 1 else []
    return [(channels, height, width), (height, width, channels), *plain]


def _unlike(where: str, found: str, shape: Shape) -> DataError:
    return DataError(f"{where}: this is {found}; the run was trained on {shape}. Convert it first.")
