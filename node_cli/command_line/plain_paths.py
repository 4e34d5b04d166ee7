"""Paths on the command line: the rest of the word, whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from node_cli.command_line.overrides import quoted

_PATHS = ("data.path", "data.root")
# What Hydra's grammar does with a value that is none of a path's business.
_SWEPT = re.compile(r"(choice|glob|range|interval|shuffle|sort)\(.*\)", re.DOTALL)


def with_plain_paths(overrides: Sequence[str], swept: bool) -> list[str]:
    """``data.path=my file.csv`` as Hydra's grammar wants it, in quotes.

    So that blanks, ``=``, brackets, commas and letters of all languages need no second pair of
    quotes. ``~`` is the user's home. What is in quotes already, ``null`` and references such as
    ``${data.root}`` stay as they are.

    Args:
        overrides: of the command line.
        swept: commas stand between paths to sweep over, unless there is a file of that name.
    """

    def plain(word: str) -> str:
        name, equals, text = word.partition("=")
        if name.lstrip("+") not in _PATHS or not equals or _stays(text):
            return word
        if swept and not _exists(text):
            if _SWEPT.fullmatch(text):
                return word
            parts = text.split(",")
            return f"{name}={','.join(part if _stays(part) else _value(part) for part in parts)}"
        return f"{name}={_value(text)}"

    return [plain(word) for word in overrides]


def _value(text: str) -> str:
    return quoted(str(_at_home(text)) if text.startswith("~") else text)


def _stays(text: str) -> bool:
    in_quotes = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text in ("", "null") or in_quotes or "${" in text


def _at_home(text: str) -> Path:
    path = Path(text)
    try:
        return path if path.exists() else path.expanduser()
    except (RuntimeError, OSError):  # there is no such user
        return path


def _exists(text: str) -> bool:
    try:
        return _at_home(text).exists()
    except (OSError, ValueError):
        return False
