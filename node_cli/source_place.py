"""Where in a user's own code something stands, for messages."""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
from itertools import pairwise
from pathlib import Path
from types import TracebackType

# Files and folders of the users' own code; what goes wrong in them is told with its place.
_OWN: set[str] = set()


def tell_places_in(path: Path) -> None:
    """From now on, a failure in this file or folder is told with its file and line."""
    _OWN.add(os.fspath(path))


def place(path: Path | str, line: int | None) -> str:
    """``pendulum.py, line 41``."""
    name = Path(path).name
    return name if line is None else f"{name}, line {line}"


def at_place(where: str, sentence: str) -> str:
    """A sentence with its place before it, where one is known."""
    return f"{where}: {sentence}" if where else sentence


def place_of(thing: object) -> str:
    """Where a class, a function or the class of an object is written; empty where none knows.

    Of a module it is where its ``forward`` begins; of what wraps something, that of the inside.
    """
    thing = unwrapped(thing)
    if not inspect.isclass(thing) and not inspect.isroutine(thing):
        thing = getattr(type(thing), "forward", None) or type(thing)
    try:
        path = inspect.getsourcefile(inspect.unwrap(thing))
        _, line = inspect.getsourcelines(thing)
    except (OSError, TypeError, ValueError):
        return ""
    return "" if path is None else place(path, line)


def unwrapped(thing: object) -> object:
    """What is inside of a wrapper that says so by ``__wrapped__``, or the thing itself."""
    inside: object = inspect.unwrap(thing)  # type: ignore[arg-type]  # takes any object
    return inside


def line_of_setting(path: Path, class_name: str, name: str) -> int | None:
    """The line of a file on which a class says something of a name, such as ``points: Count``."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            for part in node.body:
                targets = part.targets if isinstance(part, ast.Assign) else [part]
                for target in targets:
                    named = target.target if isinstance(target, ast.AnnAssign) else target
                    if isinstance(named, ast.Name) and named.id == name:
                        return part.lineno
            return node.lineno
    return None


def place_of_failure(error: BaseException) -> str:
    """The last line of the user's own code that an error came through, or nothing."""
    found = ""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if any(file == own or file.startswith(f"{own}{os.sep}") for own in _OWN):
            found = place(file, trace.tb_lineno)
        trace = trace.tb_next
    return found


def attribute_docstrings(thing: type) -> dict[str, str]:
    """The docstrings that stand under the attributes of a class, its bases among them.

    They are read from the source; where there is none, nothing is known.
    """
    found: dict[str, str] = {}
    for one in reversed(thing.__mro__):
        try:
            (node,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        except (OSError, TypeError, SyntaxError, ValueError):
            continue
        assert isinstance(node, ast.ClassDef)
        for attribute, text in pairwise(node.body):
            if (
                isinstance(attribute, ast.AnnAssign)
                and isinstance(attribute.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                found[attribute.target.id] = " ".join(text.value.value.split())
    return found
