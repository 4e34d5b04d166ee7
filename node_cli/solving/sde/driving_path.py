"""A given path in the place of the Brownian motion: a controlled differential equation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor

# Of an interval: a time that is so near to a point is that point, but for rounding.
_NEAR = 1e-6


class DrivingPath:
    r"""A path X that is linear between its points, as a solve asks for increments.

    With it, a solver takes the steps of :math:`dy = f(t, y)\, dt + g(t, y)\, dX`. The increments
    have gradients where the values have, with ``adjoint=direct``.

    Args:
        times: of the points, increasing.
        values: at these times, ``[T, B, M]``.
    """

    levy_area_approximation = "none"  # torchsde's words

    def __init__(self, times: Sequence[float], values: Tensor) -> None:
        self._times, self._values = list(times), values
        self.shape, self.dtype, self.device = tuple(values.shape[1:]), values.dtype, values.device

    def __call__(self, ta: float | Tensor, tb: float | Tensor | None = None) -> Tensor:
        """The increment from ``ta`` to ``tb``, ``[B, M]``.

        Raises:
            ValueError: these are not times of the path.
        """
        if tb is None:
            raise ValueError("a driving path has increments only")
        return self._at(float(tb)) - self._at(float(ta))

    def size(self) -> tuple[int, ...]:
        """Its shape."""
        return self.shape

    def _at(self, t: float) -> Tensor:
        times = self._times
        after = min(max(bisect_left(times, t), 1), len(times) - 1)
        start, stop = times[after - 1], times[after]
        share = (t - start) / (stop - start)
        if not -_NEAR <= share <= 1 + _NEAR:
            raise ValueError(f"t = {t} is outside of the path, from {times[0]} to {times[-1]}")
        if abs(share) <= _NEAR:
            return self._values[after - 1]
        if abs(share - 1) <= _NEAR:
            return self._values[after]
        return torch.lerp(self._values[after - 1], self._values[after], share)
