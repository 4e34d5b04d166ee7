"""Plugins that are packages: they name a module in the entry-point group ``node_cli.tasks``."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

from node_cli.errors import RunError
from node_cli.plugins.contents import plugin_of
from node_cli.plugins.plugin import Plugin
from node_cli.source_place import at_place, place_of_failure, tell_places_in


@cache
def installed_plugins(packages: tuple[EntryPoint, ...]) -> tuple[Plugin, ...]:
    """What installed packages bring.

    A package that cannot be used is told on standard error and left out: it may have nothing to do
    with what is asked for now.

    Args:
        packages: their entry points.
    """
    return tuple(_usable(packages))


def _usable(packages: tuple[EntryPoint, ...]) -> Iterator[Plugin]:
    for entry_point in sorted(packages, key=lambda one: one.name):
        name = _name(entry_point)
        try:
            module = entry_point.load()
            if not isinstance(module, ModuleType):
                raise TypeError(f"{entry_point.value} is not a module")
            for path in _own_code(module):
                tell_places_in(path)
            yield plugin_of(module, name, _digest(module), path=None)
        except (Exception, SystemExit) as error:
            where = "" if isinstance(error, RunError) else place_of_failure(error)
            said = " ".join(str(error).split()) or type(error).__name__
            print(
                f"node-cli: the installed package {name} is left out: {at_place(where, said)}",
                file=sys.stderr,
            )


def _name(entry_point: EntryPoint) -> str:
    package = entry_point.dist
    return entry_point.value if package is None else f"{package.name} {package.version}"


def _own_code(module: ModuleType) -> list[Path]:
    """The folder of the whole package, or the file of a module that is in none."""
    whole = sys.modules[module.__name__.partition(".")[0]]
    folders = [Path(folder) for folder in getattr(whole, "__path__", ())]
    return folders or [Path(str(whole.__file__))]


def _digest(module: ModuleType) -> str:
    """SHA-256 of all Python files of the package, by their names."""
    found = hashlib.sha256()
    for root in _own_code(module):
        for path in [root] if root.is_file() else sorted(root.rglob("*.py")):
            found.update(path.relative_to(root.parent).as_posix().encode() + b"\0")
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
