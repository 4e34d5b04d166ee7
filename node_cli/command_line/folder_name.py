"""Names of run folders, which TensorBoard takes as the names of the runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from omegaconf import OmegaConf

_LONGEST = 120  # file systems take 255 bytes, and the number and the date come before it


def differing(overrides: Sequence[str], leave_out: Collection[str]) -> str:
    """What a run's command line says, as a part of a folder's name: ``_solver=rk4,rtol=0.01``.

    Args:
        overrides: of the command line.
        leave_out: what all runs share, or what does not belong in a name: settings, such as
            ``task``, and whole groups with a dot behind them, such as ``trainer.``.
    """
    pairs = [
        (override.lstrip("+~").partition("=")[0], override.partition("=")[2])
        for override in overrides
    ]
    pairs = [
        (name, value)
        for name, value in pairs
        if name not in leave_out and f"{name.partition('.')[0]}." not in leave_out
    ]
    uses = Counter(name.rpartition(".")[2] for name, _ in pairs)
    parts = []
    for name, value in pairs:
        short = name.rpartition(".")[2]
        # Commas part the settings of a name, and so cannot be in a value.
        plain = re.sub(r"[^\w.+-]+", "-", value).strip("-")
        parts.append(f"{short if uses[short] == 1 else name}={plain}")
    return f"_{','.join(parts)}"[:_LONGEST].rstrip("-.,") if parts else ""


def register_differing() -> None:
    """Teach OmegaConf ``${differing:WORDS,LEFT_OUT}``, as ``conf/config.yaml`` uses it."""
    OmegaConf.register_new_resolver("differing", differing, replace=True)
