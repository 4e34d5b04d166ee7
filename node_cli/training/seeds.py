"""Seeds, and the states of the random generators."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MT19937 = 624  # numbers in the state of a Mersenne Twister


def seed_all(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators, on all devices."""
    random.seed(seed)
    # The legacy seed takes 32 bits; a SeedSequence spreads a longer seed over them.
    np.random.seed(np.random.SeedSequence(seed).generate_state(4))  # noqa: NPY002
    torch.manual_seed(seed)


def random_states() -> dict[str, Any]:
    """The states of all generators, in types that ``torch.load(weights_only=True)`` reads.

    Those of CUDA are there once CUDA is in use: a run on the CPU takes no memory of a GPU.
    """
    version, numbers, gauss_next = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "python": [version, list(numbers), gauss_next],
        "numpy": [name, np.asarray(keys).tolist(), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Put all generators back to where ``random_states`` saw them.

    Args:
        states: that ``check_random_states`` has passed.
    """
    random.setstate(_python_state(states))
    np.random.set_state(_numpy_state(states))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])


def check_random_states(states: dict[str, Any]) -> dict[str, Any]:
    """The states, if generators can be put there; those of this process stay as they are.

    Raises:
        ValueError: says which generator cannot.
    """
    checks: dict[str, Callable[[], object]] = {
        "python": lambda: random.Random().setstate(_python_state(states)),
        "numpy": lambda: np.random.RandomState().set_state(_numpy_state(states)),
        "torch": lambda: torch.Generator().set_state(states["torch"]),
        "cuda": lambda: _check_cuda(states["cuda"]),
    }
    for name, check in checks.items():
        try:
            check()
        except Exception as error:  # each library refuses a state in a way of its own
            raise ValueError(f"no state of the {name} generator") from error
    return states


def _python_state(states: dict[str, Any]) -> tuple[Any, ...]:
    version, numbers, gauss_next = states["python"]
    if not isinstance(gauss_next, float | None):
        raise TypeError  # seen only when a number is drawn
    return version, tuple(numbers), gauss_next


def _numpy_state(states: dict[str, Any]) -> tuple[Any, ...]:
    name, keys, position, has_gauss, cached = states["numpy"]
    if len(keys) != _MT19937 or not 0 <= position <= _MT19937:
        raise ValueError  # NumPy would read beyond the end
    return name, np.array(keys, np.uint32), position, has_gauss, cached


def _check_cuda(states: list[Tensor]) -> None:
    if not all(state.dtype == torch.uint8 and state.dim() == 1 for state in states):
        raise TypeError
    if torch.cuda.is_available() and len(states) == torch.cuda.device_count():
        for state in states:
            torch.Generator("cuda").set_state(state)
