r"""A Brownian motion over the steps of a fixed-step solver, which are known before the solve.

Increments over disjoint steps are independent, so that they are drawn as such: in blocks, each from
a stream of its own. A query costs the same wherever it lies and however short the steps are; the
way back draws the same blocks again. (torchsde's ``BrownianInterval`` builds a tree of bridges,
whose cost grows with the number of steps and depends on their length.)

For a step from a of length h, the increment is :math:`W = \sqrt h\, \xi` and the area
:math:`U = \int_a^{a+h} (W_s - W_a)\, ds = h\, (W / 2 + \sqrt{h / 12}\, \eta)`, with independent
standard normal :math:`\xi` and :math:`\eta`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream

# Numbers in a block, about.
_BLOCK = 2**20
# Of a step: as far from its end a query may be, for rounding.
_NEAR = 1e-3


class BrownianGrid:
    """A path over consecutive steps, a pure function of its arguments.

    It is drawn on the CPU, so that a seed means the same path on each device. Queries may go over
    several steps, which is the same path for a solver of longer ones.

    Args:
        points: the ends of the steps, increasing.
        shape: of the Brownian motion, ``[B, M]``.
        seed: of the path, not negative.
        dtype: of its values.
        device: of its values.
        levy_areas: the areas U can be asked for.
    """

    def __init__(
        self,
        points: Sequence[float],
        shape: Sequence[int],
        seed: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        levy_areas: bool = False,
    ) -> None:
        self._points, self._seed = list(points), seed
        self.shape, self.dtype, self.device = tuple(shape), dtype, torch.device(device)
        self.levy_area_approximation = "space-time" if levy_areas else "none"  # torchsde's words
        numbers = max(1, torch.Size(self.shape).numel() * (2 if levy_areas else 1))
        self._steps = max(1, _BLOCK // numbers)  # in a block
        self._blocks: dict[int, tuple[Tensor, Tensor | None]] = {}

    def __call__(
        self,
        ta: float | Tensor,
        tb: float | Tensor | None = None,
        return_U: bool = False,  # noqa: N803  # as torchsde calls it
        return_A: bool = False,  # noqa: N803
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The increment from ``ta`` to ``tb``, ``[B, M]``, and its area.

        Raises:
            ValueError: these are no points of the grid, or the areas are not drawn.
        """
        if tb is None or return_A or (return_U and self.levy_area_approximation == "none"):
            raise ValueError("this Brownian motion has no such values")
        first, last = self._place(float(ta)), self._place(float(tb))
        increment = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        area = torch.zeros_like(increment)
        for step in range(first, last):
            w, u = self._step(step)
            if u is not None:
                area = area + u + increment * (self._points[step + 1] - self._points[step])
            increment = w if last == first + 1 else increment + w
        return (increment, area) if return_U else increment

    def size(self) -> tuple[int, ...]:
        """Its shape."""
        return self.shape

    def _place(self, t: float) -> int:
        """The point that a time is."""
        points = self._points
        after = bisect_left(points, t)
        near = [i for i in (after - 1, after) if 0 <= i < len(points)]
        place = min(near, key=lambda i: abs(points[i] - t))
        step = min(
            points[i + 1] - points[i] for i in (place - 1, place) if 0 <= i < len(points) - 1
        )
        if abs(points[place] - t) > _NEAR * step:
            raise ValueError(f"t = {t} is between the points of this Brownian motion")
        return place

    def _step(self, step: int) -> tuple[Tensor, Tensor | None]:
        """Increment and area of one step."""
        block, place = divmod(step, self._steps)
        if block not in self._blocks:
            self._blocks = {block: self._drawn(block)}
        increments, areas = self._blocks[block]
        return increments[place], None if areas is None else areas[place]

    def _drawn(self, block: int) -> tuple[Tensor, Tensor | None]:
        start = block * self._steps
        points = torch.tensor(self._points[start : start + self._steps + 1], dtype=torch.float64)
        steps = points.diff().reshape(-1, *(1 for _ in self.shape))
        stream = random_stream(self._seed, block)
        size = (len(steps), *self.shape)
        increments = steps.sqrt().to(self.dtype) * torch.randn(
            size, dtype=self.dtype, generator=stream
        )
        if self.levy_area_approximation == "none":
            return increments.to(self.device), None
        bridges = torch.randn(size, dtype=self.dtype, generator=stream)
        areas = steps.to(self.dtype) * (
            increments / 2 + (steps / 12).sqrt().to(self.dtype) * bridges
        )
        return increments.to(self.device), areas.to(self.device)
