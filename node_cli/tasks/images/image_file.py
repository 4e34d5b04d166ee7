"""PNG and JPEG files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from node_cli.errors import DataError

Mode = Literal["grey", "rgb"]

_MOST_PIXELS = 50_000_000  # of one file: a decoded image has to fit in memory
_PLAIN: dict[str, Mode] = {"1": "grey", "L": "grey", "RGB": "rgb"}
_PILLOW = {"grey": "L", "rgb": "RGB"}
_OTHER = {
    "P": "in the colours of a palette",
    "PA": "in the colours of a palette, with transparency",
    "LA": "grey with transparency",
    "RGBA": "in colours with transparency",
    "CMYK": "in the colours of print (CMYK)",
}
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # the EXIF tag, and those that swap height and width


class Form(NamedTuple):
    """What the pixels of an image are like.

    Attributes:
        mode: grey, or red, green and blue.
        height: in pixels.
        width: likewise.
    """

    mode: Mode
    height: int
    width: int

    @property
    def channels(self) -> int:
        """1 or 3."""
        return 1 if self.mode == "grey" else 3

    @property
    def values(self) -> int:
        """In one image, a byte each."""
        return self.channels * self.height * self.width

    @property
    def size(self) -> str:
        """Height and width, for a reader."""
        return f"{self.height}x{self.width}"

    @property
    def colours(self) -> str:
        """The mode, for a reader."""
        return "grey" if self.mode == "grey" else "in colours"


def form_of(path: Path, mode: Mode | None, size: int | tuple[int, int] | None) -> Form:
    """What an image is, or will be brought to, as its header tells.

    Args:
        path: of the file.
        mode: to which it is converted; None: it must be grey, or red, green and blue.
        size: to which it is brought, of a square or height and width; None: as it is.

    Raises:
        DataError: it is no PNG or JPEG file, too large, or of another mode.
    """
    with _opened(path) as image:
        width, height = image.size
        if width * height > _MOST_PIXELS:
            raise DataError(
                f"{path}: it has {height}x{width} pixels; at most {_MOST_PIXELS:,} are read. Make"
                " it smaller first."
            )
        if image.mode.startswith(("I", "F")):
            raise DataError(f"{path}: its pixels have more than 8 bits; save it with 8 bits.")
        found = _PLAIN.get(image.mode)
        if found is None and mode is None:
            what = _OTHER.get(image.mode, f"of mode {image.mode}")
            raise DataError(
                f"data.mode=null: {path} is {what}; give data.mode=rgb or data.mode=grey to convert"
                " it."
            )
        if image.getexif().get(_ORIENTATION) in _TURNED:
            width, height = height, width
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
    kept = mode or found
    assert kept is not None
    return Form(kept, height, width)


def read_pixels(path: Path, form: Form) -> NDArray[np.uint8]:
    """The pixels of an image, turned as its EXIF data say and brought to a form.

    What is transparent becomes white. Other sizes are reached by bilinear interpolation, which
    averages where it makes smaller.

    Returns:
        ``[H, W, C]``.

    Raises:
        DataError: it is cut or damaged.
    """
    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("LA", "PA", "RGBA") or "transparency" in upright.info:
            opaque = upright.convert("RGBA")
            white = Image.new("RGBA", opaque.size, "white")
            upright = Image.alpha_composite(white, opaque)
        plain = upright.convert(_PILLOW[form.mode])
        if plain.size != (form.width, form.height):
            plain = plain.resize((form.width, form.height), Image.Resampling.BILINEAR)
        values: NDArray[np.uint8] = np.array(plain).reshape(form.height, form.width, form.channels)
        return values


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong with a file is told in our own words
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                yield image
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path}: it claims to have far more than {_MOST_PIXELS:,} pixels; make it smaller"
            " first."
        ) from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: this is no PNG or JPEG image, whatever its name says.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: this image cannot be read ({_cause(error)}).") from error


def _cause(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")
