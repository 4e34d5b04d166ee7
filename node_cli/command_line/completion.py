"""What a shell offers when Tab is pressed: flags, groups, their members, settings and files.

The scripts for the shells are Hydra's (``-sc install=bash``). What they ask for is answered here,
because Hydra would read the line with a parser that does not know our flags.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from node_cli.command_line.composition import composer
from node_cli.command_line.flags import flag_parser
from node_cli.command_line.hydra_settings import SETTINGS
from node_cli.command_line.overrides import with_aliases
from node_cli.errors import ConfigError
from node_cli.plugins.in_use import use_plugins
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.explanation import show
from node_cli.schema.settings import flattened


def print_candidates(shell: str, conf: Path, catalogue: Catalogue) -> None:
    """Print the candidates for the last word of the line that the shell gives in ``COMP_LINE``.

    Args:
        shell: that asks, which decides what stands between two candidates.
        conf: the folder of the config tree.
        catalogue: the groups.
    """
    words = _words(os.environ.get("COMP_LINE", ""))
    found = sorted(set(candidates(words[1:], conf, catalogue)))
    print(("\n" if shell == "fish" else " ").join(found))


def use_plugins_on_the_line() -> None:
    """Use the plugins that the line which is completed names; one that cannot be used is left out.

    The user has written their names there, as for the command itself.
    """
    words = _words(os.environ.get("COMP_LINE", ""))
    named = [Path(file) for flag, file in pairwise(words[:-1]) if flag == "--plugin"]
    named += [Path(w.partition("=")[2]) for w in words[:-1] if w.startswith("--plugin=")]
    try:
        use_plugins(named)
    except ConfigError:
        with suppress(ConfigError):
            use_plugins([])


def candidates(words: list[str], conf: Path, catalogue: Catalogue) -> Iterator[str]:
    """What the last of the words can become, as whole words.

    Args:
        words: of the command line, without the command itself; the last may be empty.
        conf: the folder of the config tree.
        catalogue: the groups.
    """
    *before, last = words or [""]
    sign = last[: len(last) - len(last.lstrip("+~"))]
    name, equals, value = last.removeprefix(sign).partition("=")
    if before[-1:] in (["--plugin"], ["--config-dir"], ["-cd"]):
        yield from _paths(last)
    elif last.startswith("-"):
        known = [flag for action in flag_parser()._actions for flag in action.option_strings]
        yield from (flag for flag in known if flag.startswith(last))
    elif not equals:
        settings = _settings(before, conf, catalogue)
        names = [f"{known}=" for known in (*catalogue.groups, *SETTINGS, *settings)]
        yield from (f"{sign}{known}" for known in names if known.startswith(name))
    elif name in catalogue.groups:
        earlier, comma, start = value.rpartition(",")  # several members make a sweep
        members = (member for member in catalogue.groups[name] if member.startswith(start))
        yield from (f"{sign}{name}={earlier}{comma}{member}" for member in members)
    elif value:
        yield from (f"{sign}{name}={path}" for path in _paths(value))
    else:
        settings = _settings(before, conf, catalogue)
        yield from (f"{sign}{last}{show(settings[name])}" for _ in range(name in settings))


def _settings(before: list[str], conf: Path, catalogue: Catalogue) -> Mapping[str, Any]:
    """The settings and their values, as the words before make them where they do."""
    with_values = ("--plugin", "--config-dir", "-cd")
    overrides = [
        word
        for flag, word in pairwise(["", *before])
        if not word.startswith("-") and flag not in with_values
    ]
    for words in (with_aliases(overrides), []):
        try:
            with composer(conf, None, catalogue) as composed:
                config = OmegaConf.to_container(composed(words), resolve=False)
        except ConfigError:
            continue
        assert isinstance(config, dict)
        return dict(flattened({k: v for k, v in config.items() if k != "hydra"}))
    return {}


def _paths(start: str) -> Iterator[str]:
    folder, _, name = start.rpartition("/")
    try:
        entries = sorted(Path(f"{folder}/" if start.startswith("/") else folder or ".").iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(name):
            inside = f"{folder}/" if "/" in start else ""
            yield f"{inside}{entry.name}{'/' if entry.is_dir() else ''}"


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError:  # a quote that is still open
        words = line.split()
    return words if words and not line.endswith(" ") else [*words, ""]
