"""How many values a sweep has, counted without making a list of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, RangeSweep, Sweep

from node_cli.errors import ConfigError

MOST_CELLS = 10_000  # each is a run with a folder of its own


def number_of_cells(overrides: Sequence[Override]) -> int:
    """How many runs the combinations of all swept values make; a glob counts as one value.

    Raises:
        ConfigError: a range that has no values or no end, or more cells than ``MOST_CELLS``.
    """
    swept = [override for override in overrides if override.is_sweep_override()]
    cells = math.prod(_number_of_values(override) for override in swept)
    if cells > MOST_CELLS:
        words = " ".join(override.input_line or "" for override in swept)
        raise ConfigError(
            f"{words}: these are more than {MOST_CELLS} runs. Sweep over fewer values, or let"
            " hydra/sweeper=optuna choose among them."
        )
    return cells


def _number_of_values(override: Override) -> int:
    value = override.value()
    if not override.is_discrete_sweep() or isinstance(value, Glob):
        return 1
    if not isinstance(value, RangeSweep):
        if isinstance(value, ChoiceSweep) and any(isinstance(one, Sweep) for one in value.list):
            raise ConfigError(
                f"{override.input_line}: a choice or range cannot be inside of another; write its"
                " values out."
            )
        return sum(1 for _ in override.sweep_string_iterator())
    ends = (value.start, value.stop, value.step)
    if not all(end is not None and math.isfinite(end) for end in ends) or value.step == 0:
        raise ConfigError(
            f"{override.input_line}: a range is range(START,STOP,STEP) of finite numbers, with a"
            " STEP that is not 0."
        )
    count = sum(1 for _ in islice(value.range(), MOST_CELLS + 1))
    if count == 0:
        raise ConfigError(
            f"{override.input_line}: this range has no values. It begins with START, and ends"
            " before STOP: range(3) is 0,1,2."
        )
    return count
