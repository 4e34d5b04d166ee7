"""Independent streams of random numbers from one seed."""

from __future__ import annotations

import numpy as np
import torch


def random_stream(seed: int, *key: int) -> torch.Generator:
    """A generator on the CPU for one purpose, such as the batch of an epoch and an index.

    Args:
        seed: of the run, not negative.
        key: tells the streams of one seed apart.
    """
    state = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))
