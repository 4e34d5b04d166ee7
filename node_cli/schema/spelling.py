"""The nearest right spelling of a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like ``word``, upper and lower case alike, or None if none is near."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    # A name cut short, as mnist for mnist-odenet, is less alike than the cutoff asks for.
    found += [name for name in by_lower if len(word) > 1 and name.startswith(word.lower())]
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean dopri5?``, or a full stop where no known name is near."""
    name = nearest(word, known)
    return "." if name is None else f"; did you mean {name}?"


def no_such(kind: str, setting: str, given: str, known: Iterable[str]) -> str:
    """The sentence about a name that does not exist.

    Args:
        kind: of what has the name, such as ``solver``.
        setting: where it was given, such as ``adjoint.solver``.
        given: the name.
        known: the names that there are, in the order in which they are listed.
    """
    known = list(known)
    return (
        f"{setting}={given}: there is no such {kind}{did_you_mean(given, known)}"
        f" Known: {', '.join(known)}."
    )
