"""Animated pictures."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_LAST = 1500  # milliseconds for which the last picture stays


def animated_gif(pictures: Iterable[NDArray[np.uint8]], seconds: float = 0.12) -> bytes:
    """An animated GIF that begins again; its last picture stays for a while.

    Args:
        pictures: in the order of time, ``[height, width, 3]`` each.
        seconds: a picture.
    """
    from PIL import Image

    frames = [
        Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE)
        for picture in pictures
    ]
    durations = [round(1000 * seconds)] * (len(frames) - 1) + [_LAST]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0
    )
    return buffer.getvalue()
