"""A picture as a density in the plane."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from node_cli.errors import DataError
from node_cli.tasks.densities.shapes import Density

# A larger picture is made smaller: single precision has to tell pixels apart.
_LARGEST_SIDE = 1024
# Points keep this share of a pixel away from its border, so that rounding never moves one into a
# black neighbour, where its density would be 0. It makes the log-density wrong by 4e-4 nats.
_MARGIN = 1e-4


class ImageDensity(Density):
    """Each pixel is uniform and as likely as it is bright; the longer side goes from -1 to 1.

    Args:
        brightness: ``[height, width]``, not negative and not all zero; the first row is on top.
    """

    def __init__(self, brightness: Tensor) -> None:
        upwards = brightness.double().flip(0)
        self._height, self._width = upwards.shape
        self._shares = (upwards / upwards.sum()).reshape(-1)
        self._cumulated = self._shares.cumsum(0)
        self._pixel = 2.0 / max(self._height, self._width)
        self._corner = torch.tensor((self._width, self._height), dtype=torch.float64)
        self._corner *= self._pixel / 2

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Points of pixels chosen by brightness."""
        uniform = torch.rand(count, generator=generator, dtype=torch.float64)
        # A share of 0 is never chosen: the search is from the right, and rounding stays inside.
        chosen = torch.searchsorted(self._cumulated, uniform * self._cumulated[-1], right=True)
        chosen = chosen.clamp_(max=len(self._shares) - 1)
        cell = torch.stack((chosen % self._width, chosen // self._width), dim=1)
        place = _MARGIN + (1 - 2 * _MARGIN) * torch.rand(count, 2, generator=generator)
        points: Tensor = (cell + place.double()) * self._pixel - self._corner
        return points.float()

    def log_density(self, x: Tensor) -> Tensor:
        """Of the pixel; minus infinity outside of the picture and where it is black."""
        cell = ((x.cpu().double() + self._corner) / self._pixel).floor().long()
        size = torch.tensor((self._width, self._height))
        inside = ((cell >= 0) & (cell < size)).all(dim=1)
        cell = cell.clamp(min=torch.zeros(2, dtype=torch.int64), max=size - 1)
        share = self._shares[cell[:, 1] * self._width + cell[:, 0]]
        log = share.log() - 2 * math.log(self._pixel)
        return torch.where(inside, log, -math.inf).to(x)


def read_image(path: Path, invert: bool) -> ImageDensity:
    """The density of a picture file, in any format that Pillow reads.

    Args:
        path: of the file.
        invert: dark pixels are likely, instead of bright ones.

    Raises:
        DataError: it is missing, no picture, or has nothing that could be sampled.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            # What is transparent is taken for white paper.
            if image.mode == "F" or image.mode.startswith("I"):
                # Pillow would cut these numbers off at 255.
                deep = np.array(image, dtype=np.float32)
                deep = 255 * (deep - min(0.0, float(deep.min()))) / max(float(np.ptp(deep)), 1e-30)
                inked = Image.fromarray(deep).convert("RGBA")
            else:
                inked = image.convert("RGBA")
            inked.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
            flat = Image.new("RGBA", inked.size, "white")
            flat.alpha_composite(inked)
            grey = np.array(flat.convert("L"), dtype=np.float64)
    except FileNotFoundError as error:
        raise DataError(f"data.path={path}: there is no such file; give a picture.") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        cause = " ".join(str(error).split())
        raise DataError(
            f"data.path={path}: this is no picture that can be read ({cause})."
        ) from error
    brightness = torch.from_numpy(255 - grey if invert else grey)
    if float(brightness.sum()) == 0:
        raise DataError(
            f"data.path={path}: the picture is all {'white' if invert else 'black'}, so no point"
            f" can be drawn from it; try data.invert={str(not invert).lower()}."
        )
    return ImageDensity(brightness)
