"""The overrides of the command line, ``NAME=VALUE``, before Hydra composes anything with them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from node_cli.command_line.hydra_settings import LAUNCHERS, SWEEPERS, check_hydra
from node_cli.command_line.swept_values import number_of_cells
from node_cli.errors import ConfigError
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.explanation import show
from node_cli.schema.spelling import no_such

# What Hydra takes as a name, without @PACKAGE: no setting here has another place than its own.
_NAME = re.compile(r"(\+{0,2}|~)[A-Za-z_][\w-]*([./][A-Za-z_0-9][\w-]*)*", re.ASCII)
# Resolvers, as in ${now:%Y}, can do what they like as soon as they are resolved.
_REFERENCES_ONLY = re.compile(r"([^$]|\$(?!\{)|\$\{\.*[A-Za-z_][\w.-]*(\[\d+\])?\})*", re.DOTALL)

_ALIASES = {
    "adjoint": {"true": "on", "false": "off"},
    "compile": {"true": "step", "false": "off"},
    "debug": {"true": "on", "false": "off"},
    "hydra/launcher": {name: f"plugin/{name}" for name in LAUNCHERS},
    "hydra/sweeper": {name: f"plugin/{name}" for name in SWEEPERS},
}


def parse(overrides: Sequence[str]) -> list[Override]:
    """Each word by Hydra's grammar.

    Raises:
        ConfigError: a word is not ``NAME=VALUE``.
    """
    return [_parse_one(word) for word in overrides]


def with_aliases(overrides: Sequence[str]) -> list[str]:
    """``adjoint=true`` as ``adjoint=on``, because a group's member cannot be a truth value.

    And ``hydra/launcher=joblib`` as ``plugin/joblib``, our settings over those of the plugin: Hydra
    wants another name for them.
    """

    def renamed(word: str) -> str:
        name, equals, value = word.partition("=")
        if name not in _ALIASES:
            return word
        members = (_ALIASES[name].get(member.lower(), member) for member in value.split(","))
        return f"{name}{equals}{','.join(members)}"

    return [renamed(word) for word in overrides]


def check(overrides: Sequence[str], catalogue: Catalogue) -> None:
    """Refuse what Hydra would take and the user cannot mean.

    Raises:
        ConfigError: a group given twice or without a single member, or code to import.
    """
    seen: dict[str, str] = {}
    swept: set[str] = set()
    parsed = parse(overrides)
    for override in parsed:
        key, word = _key(override), override.input_line or ""
        if "_target_" in word:
            raise ConfigError(f"{word}: the command line cannot name code to import.")
        if not _REFERENCES_ONLY.fullmatch(word):
            raise ConfigError(
                f"{word}: between ${{ and }} there can only be the name of a setting, as in"
                " ${tolerance.rtol}."
            )
        if override.is_delete():
            raise ConfigError(
                f"{word}: no setting can be taken away; leave the word out, or give another value."
            )
        if re.match(r"hydra\b", key):
            check_hydra(override, catalogue)
        if override.is_sweep_override():
            swept.add(key)
        if key in seen and (key in catalogue.groups or key in swept):
            raise ConfigError(f"{seen[key]} {word}: {key} is given twice; give it once.")
        if key in catalogue.groups:
            _check_member(key, override, catalogue)
        seen[key] = word  # of a setting that is given twice the last counts, as in Hydra
    number_of_cells(parsed)
    steps = [seen.get(key, "null") for key in ("solver.step_size", "solver.num_steps")]
    if not any(word.endswith("null") for word in steps):
        raise ConfigError(f"{' '.join(steps)}: give the one or the other, not both.")


def split(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides that all cells of a sweep share, and those that are swept over."""
    fixed: list[str] = []
    swept: list[str] = []
    for override in parse(overrides):
        (swept if override.is_sweep_override() else fixed).append(override.input_line or "")
    return fixed, swept


def cells(overrides: Sequence[str], most: int) -> Iterator[list[str]]:
    """The jobs of a sweep, as Hydra's own sweeper makes them; no more than ``most``.

    A range that only a searching sweeper can fill, such as ``interval(0, 1)``, is left out.
    """
    axes = []
    for override in parse(overrides):
        if not override.is_sweep_override():
            axes.append([override.input_line or ""])
        elif override.is_discrete_sweep():
            key = override.get_key_element()
            axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
    return (list(cell) for cell in itertools.islice(itertools.product(*axes), most))


def quoted(text: str) -> str:
    """A text as a value that Hydra's grammar reads back unchanged, whatever it holds."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"


def _parse_one(word: str) -> Override:
    name, equals, value = word.partition("=")
    if not name.strip("+~ "):
        raise ConfigError(f"'{word}': a setting is written as NAME=VALUE.")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{word}: '{name}' is not the name of a setting. A name is made of letters, digits, _,"
            " and dots, as in tolerance.rtol=1e-3."
        )
    if not equals and not word.startswith("~"):
        raise ConfigError(f"{word}: a setting is written as NAME=VALUE, here {word}=VALUE.")
    try:
        return OverridesParser.create().parse_override(word)
    except (HydraException, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{word}: the value cannot be read. Text with special characters needs quotes that"
            f' reach node-train: "{name}={quoted(value)}".'
        ) from error


def _key(override: Override) -> str:
    return str(override.get_key_element()).lstrip("+~")


def _check_member(group: str, override: Override, catalogue: Catalogue) -> None:
    if override.is_add():
        word = (override.input_line or "").lstrip("+")
        raise ConfigError(f"+{word}: {group} is already there; leave out the +, as in {word}.")
    if override.is_sweep_override():
        return
    value = override.value()
    # Hydra itself would pass over an unknown experiment without a word, as it is optional.
    if not isinstance(value, str) or value not in catalogue.groups[group]:
        raise ConfigError(no_such(group, group, show(value), sorted(catalogue.groups[group])))
