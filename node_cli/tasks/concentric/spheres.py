"""Points of a ball and of a shell around it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.tasks.concentric.schema import SpheresConfig
from node_cli.tasks.concentric.stream import Stream


class Points(NamedTuple):
    """N points ``[N, d]``, and 1 for those of the shell, 0 for those of the ball, ``[N]``."""

    x: Tensor
    shell: Tensor


def spheres(config: SpheresConfig, seed: int) -> tuple[Points, Points, Points]:
    """Points for training, validation and test; every third is of the ball.

    The direction from the centre is uniform, and so is the distance, between 0 and ``inner`` or
    between the radii of the shell. In one dimension that is uniform on the intervals.
    """
    parts = enumerate((config.points, config.validation, config.test))
    train, validation, test = (
        _points(config, count, random_stream(seed, Stream.POINTS, part)) for part, count in parts
    )
    return train, validation, test


def _points(config: SpheresConfig, count: int, stream: torch.Generator) -> Points:
    near, far = config.shell
    shell = torch.arange(count) % 3 > 0
    share = torch.rand(count, generator=stream)
    distance = torch.where(shell, near + (far - near) * share, config.inner * share)
    direction = torch.randn(count, config.dimensions, generator=stream)
    direction = direction / direction.norm(dim=1, keepdim=True)
    return Points(distance.unsqueeze(1) * direction, shell.float())
