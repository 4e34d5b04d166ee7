"""Text of unknown origin, made harmless where it is shown."""

from __future__ import annotations

import unicodedata

# Control characters and escape sequences, marks that turn the direction of writing, halves of
# characters, and separators of lines: what a terminal obeys instead of showing it.
_OBEYED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def plain_text(text: str) -> str:
    """Text in one line that only shows; what a terminal obeys is written as in Python's strings."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def plain_lines(text: str) -> str:
    """As ``plain_text``, but lines remain lines."""
    return "\n".join(map(plain_text, text.split("\n")))


def one_line(text: str) -> str:
    """As ``plain_text``, with a space for any run of spaces and line breaks."""
    return plain_text(" ".join(text.split()))


def shortened(text: str, longest: int) -> str:
    """Text with its end left out where it is longer than ``longest`` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _shown(character: str) -> str:
    if unicodedata.category(character) in _OBEYED:
        return character.encode("unicode_escape").decode("ascii")
    return character
