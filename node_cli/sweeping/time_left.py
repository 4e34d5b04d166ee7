"""How long a sweep will still take, from how long it has taken."""

from __future__ import annotations


def time_left(elapsed: float, done: int, to_do: int) -> str:
    """The time that ``to_do`` cells will take if they go as those before, such as ``4 min``.

    Args:
        elapsed: seconds that the sweep has run.
        done: cells that it has brought to their end in them.
        to_do: cells that are left, those that run now among them.

    Returns:
        The time; empty while nothing can be said.
    """
    if done == 0 or to_do <= 0:
        return ""
    seconds = elapsed / done * to_do
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
