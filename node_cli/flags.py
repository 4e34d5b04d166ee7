"""The flags of ``node-train``: what it shares with Hydra, without what would load other configs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from node_cli.config.spelling import did_you_mean
from node_cli.errors import ConfigError
from node_cli.sentence_parser import SentenceParser


class Flags(argparse.Namespace):
    """The command line, read."""

    overrides: list[str]
    help: bool
    hydra_help: bool
    version: bool
    run: bool
    multirun: bool
    cfg: str | None
    resolve: bool
    package: str | None
    info: str | None
    shell_completion: bool
    config_dir: Path | None

    @property
    def only_informs(self) -> bool:
        """Whether something is shown and nothing is run."""
        return bool(self.hydra_help or self.cfg or self.info or self.shell_completion)

    def for_hydra(self) -> list[str]:
        """The same as arguments of Hydra's own parser."""
        words = [f"--{name.replace('_', '-')}" for name in _SWITCHES if getattr(self, name)]
        for name in ("cfg", "package", "info", "config_dir"):
            if getattr(self, name) is not None:
                words.append(f"--{name.replace('_', '-')}={getattr(self, name)}")
        return [*words, *self.overrides]


_SWITCHES = ("hydra_help", "run", "multirun", "resolve", "shell_completion")


def read_flags(arguments: Sequence[str]) -> Flags:
    """The command line in parts.

    Raises:
        ConfigError: an unknown flag, a flag without its value, or flags that exclude each other.
    """
    parser = SentenceParser("node-train", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--hydra-help", action="store_true")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--run", "-r", action="store_true")
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--package", "-p")
    info = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
    parser.add_argument("--info", "-i", nargs="?", const="all", choices=info)
    parser.add_argument("--shell-completion", "--shell_completion", "-sc", action="store_true")
    parser.add_argument("--config-dir", "-cd", type=Path)
    flags, unknown = parser.parse_known_intermixed_args(arguments, Flags())
    if unknown:
        known = [name for action in parser._actions for name in action.option_strings]
        given = unknown[0].partition("=")[0]
        raise ConfigError(
            f"{given}: there is no such flag{did_you_mean(given, known)} See node-train --help."
        )
    _check(flags)
    return flags


def _check(flags: Flags) -> None:
    modes = ("run", "multirun", "cfg", "info", "shell_completion")
    chosen = [f"--{mode.replace('_', '-')}" for mode in modes if getattr(flags, mode)]
    if len(chosen) > 1:
        raise ConfigError(f"{' '.join(chosen)}: only one of these can be given.")
    if flags.resolve and not flags.cfg:
        raise ConfigError("--resolve: goes with --cfg, as in node-train --cfg job --resolve.")
    if flags.config_dir is not None and not flags.config_dir.is_dir():
        raise ConfigError(f"--config-dir={flags.config_dir}: there is no such folder.")
