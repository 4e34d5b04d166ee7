"""The groups of the config tree and their members, read from the YAML files themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from node_cli.errors import ConfigError


@dataclass(frozen=True)
class Member:
    """A YAML file of a group, such as ``solver/dopri5.yaml``."""

    name: str
    path: Path

    @property
    def description(self) -> str:
        """The file's first comment, without Hydra's ``# @package`` line."""
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("#") and not line.startswith("# @"):
                return line.lstrip("# ").strip()
            if line and not line.startswith("#"):
                break
        return ""

    def content(self) -> dict[str, Any]:
        """What the file says.

        Raises:
            ConfigError: it is not valid YAML.
        """
        try:
            loaded = yaml.safe_load(self.path.read_bytes())
        except yaml.YAMLError as error:
            raise ConfigError(about_yaml(error, str(self.path))) from error
        return loaded if isinstance(loaded, dict) else {}


class StoredMember(NamedTuple):
    """A member of a group that has no file: a plugin brings it.

    Attributes:
        name: on the command line.
        group: that it is of.
        description: one line.
        values: what its file would say.
    """

    name: str
    group: str
    description: str
    values: Mapping[str, Any]

    def content(self) -> dict[str, Any]:
        """What its file would say."""
        return dict(self.values)


AnyMember = Member | StoredMember


class Catalogue:
    """The groups and their members; where two have the same name, the first counts.

    Args:
        folders: of YAML files, the shipped one first.
        stored: members that have no file.
    """

    def __init__(self, folders: Sequence[Path], stored: Iterable[StoredMember] = ()) -> None:
        groups: dict[str, dict[str, AnyMember]] = {}
        for folder in folders:
            for path in sorted(folder.glob("*/**/*.yaml")):
                group, *inner = path.relative_to(folder).with_suffix("").parts
                if group != "hydra":
                    name = "/".join(inner)
                    groups.setdefault(group, {}).setdefault(name, Member(name, path))
        for member in stored:
            groups.setdefault(member.group, {}).setdefault(member.name, member)
        self.groups: Mapping[str, Mapping[str, AnyMember]] = groups
        self._folders = folders
        self._main = Member("config", folders[0] / "config.yaml")

    def defaults(self) -> dict[str, str]:
        """The member of each group that is taken when none is named."""
        entries = (entry for entry in self._main.content()["defaults"] if isinstance(entry, dict))
        pairs = (pair for entry in entries for pair in entry.items())
        return {name: member for name, member in pairs if name in self.groups and member}

    def of_hydra(self, group: str) -> set[str]:
        """The members of a group of Hydra itself, such as ``hydra/launcher``, that are files."""
        return {
            path.relative_to(folder / group).with_suffix("").as_posix()
            for folder in self._folders
            for path in (folder / group).glob("**/*.yaml")
        }

    def members_with(self, key: str) -> list[str]:
        """The members of a group that have a setting: of ``model.blocks``, resnet and euler-net."""
        group, _, setting = key.partition(".")
        members = self.groups.get(group, {}).values()
        return [member.name for member in members if setting in _settings(group, member)]

    def keys(self) -> list[str]:
        """All groups, and the dotted names of all settings of all their members."""
        keys = {"seed": None, **dict.fromkeys(self.groups)}
        for group, members in self.groups.items():
            for member in members.values():
                keys |= dict.fromkeys(f"{group}.{name}" for name in _settings(group, member))
        return list(keys)


def about_yaml(error: yaml.YAMLError, name: str = "A YAML file") -> str:
    """The sentence about a file that is not valid YAML."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"{name}: this is not valid YAML ({' '.join(str(error).split())})."
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{name}: this is not valid YAML ({error.problem})."
    name = mark.name if mark.name[0] != "<" else name
    return f"{name}, line {mark.line + 1}: this is not valid YAML ({error.problem})."


def _settings(group: str, member: AnyMember) -> Iterator[str]:
    content = member.content()
    inner = content.get(group)  # a file for the whole tree names its own group
    yield from (
        name for name in (inner if isinstance(inner, dict) else content) if name != "defaults"
    )
