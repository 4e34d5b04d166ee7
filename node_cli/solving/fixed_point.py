"""Fixed points, found by iteration until only rounding is left."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

# Of a map that halves distances, 53 iterations go down to the rounding of float64.
MAX_ITERATIONS = 100
# In units of the resolution: changes that do not become smaller are the rounding of the map itself.
_ROUNDING = 16


class NoFixedPointError(Exception):
    """An iteration did not come to a fixed point."""


def fixed_point(function: Callable[[Tensor], Tensor], x: Tensor, resolution: float) -> Tensor:
    """An ``x`` with ``function(x) = x`` up to rounding; the function has been called with it last.

    A change is measured in each row (along the last dimension) by itself, by its largest value over
    that of the row, so that states of a batch that are small are found as well as large ones. The
    iteration ends where all changes are below rounding, or do not become smaller near it.

    Args:
        function: a contraction.
        x: where to begin.
        resolution: the relative distance of the numbers in which it is computed.

    Returns:
        The fixed point; where the first value is not finite, what was given.

    Raises:
        NoFixedPointError: there are too many iterations, or a value is not finite.
    """
    enough, near = 2 * torch.finfo(x.dtype).eps, _ROUNDING * resolution
    before = last = math.inf
    for iteration in range(MAX_ITERATIONS):
        image = function(x)
        change = _largest_change(x, image)
        if change <= enough or (change <= near and change >= before):
            return x
        if not math.isfinite(change):
            if iteration == 0:
                return x
            break
        # Over two iterations: where parts turn into each other, one alone says nothing.
        before, last, x = last, change, image
    raise NoFixedPointError


def _largest_change(x: Tensor, image: Tensor) -> float:
    with torch.no_grad():
        if not x.numel():
            return 0.0
        change, size = (image - x).abs(), torch.maximum(x.abs(), image.abs())
        if x.ndim:
            change, size = change.amax(-1), size.amax(-1)
        smallest = torch.finfo(x.dtype).tiny
        return float((change / size.clamp(min=smallest)).max())
