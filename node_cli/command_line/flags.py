"""The flags of ``node-train``: what it shares with Hydra, without what would load other configs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from node_cli.command import ABOUT_DEBUG, DEBUG
from node_cli.command_line.sentence_parser import SentenceParser
from node_cli.errors import ConfigError
from node_cli.schema.spelling import did_you_mean

SHELLS = ("bash", "fish", "zsh")
_COMPLETION_COMMANDS = ("install", "uninstall", "query")
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


class Flags(argparse.Namespace):
    """The command line, read."""

    overrides: list[str]
    help: bool
    hydra_help: bool
    version: bool
    debug: bool
    run: bool
    multirun: bool
    dry_run: bool
    cfg: str | None
    resolve: bool
    package: str | None
    info: str | None
    shell_completion: bool
    config_dir: Path | None
    plugin: list[Path]

    @property
    def only_informs(self) -> bool:
        """Whether something is shown and nothing is run."""
        shown = (self.hydra_help, self.cfg, self.info, self.shell_completion, self.dry_run)
        return any(bool(flag) for flag in shown)


def flag_parser() -> SentenceParser:
    """The parser of the flags; its help texts are those of the help page."""
    parser = SentenceParser("node-train", add_help=False, allow_abbrev=False)
    add = parser.add_argument
    add("overrides", nargs="*", help="GROUP=MEMBER and NAME=VALUE")
    add("--multirun", "-m", action="store_true",
        help="a sweep: one run for each combination of values with commas")  # fmt: skip
    add("--dry-run", action="store_true",
        help="show which runs it would be, and in which folders; run nothing")  # fmt: skip
    add("--cfg", "-c", choices=["job", "hydra", "all"],
        help="show the settings and run nothing; with -m those of each run")  # fmt: skip
    add("--resolve", action="store_true", help="with --cfg: references are filled in")
    add("--package", "-p", help="with --cfg: only this part, such as solver")
    add("--config-dir", "-cd", type=Path, metavar="DIR",
        help="add your own groups and members, as DIR/GROUP/MEMBER.yaml")  # fmt: skip
    add("--plugin", type=Path, action="append", default=[], metavar="FILE",
        help="add the tasks, models and data of your Python file; node-new writes one")  # fmt: skip
    add("--shell-completion", "--shell_completion", "-sc", action="store_true",
        help="shell completion: -sc install=SHELL gives the script; SHELL is bash, zsh"
        " (both with eval \"$(...)\") or fish (... | source)")  # fmt: skip
    add("--info", "-i", nargs="?", const="all", choices=_INFO,
        help="where the settings come from")  # fmt: skip
    add("--run", "-r", action="store_true", help="a single run, as without this flag")
    add(DEBUG, action="store_true", help=ABOUT_DEBUG)
    add("--version", action="store_true", help="the version")
    add("--help", "-h", action="store_true", help="this page")
    add("--hydra-help", action="store_true", help="the groups of Hydra, on which this is built")
    return parser


def read_flags(arguments: Sequence[str]) -> Flags:
    """The command line in parts.

    Raises:
        ConfigError: an unknown flag, a flag without its value, or flags that exclude each other.
    """
    parser = flag_parser()
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
    modes = ("run", "multirun", "dry_run", "cfg", "info", "shell_completion")
    chosen = {mode for mode in modes if getattr(flags, mode)}
    # A sweep can also be shown.
    if len(chosen) > 1 and chosen not in ({"multirun", "dry_run"}, {"multirun", "cfg"}):
        names = " ".join(f"--{mode.replace('_', '-')}" for mode in modes if mode in chosen)
        raise ConfigError(f"{names}: only one of these can be given.")
    for name in ("resolve", "package"):
        if getattr(flags, name) and not flags.cfg:
            raise ConfigError(f"--{name}: goes with --cfg, as in node-train --cfg job --{name}.")
    if flags.config_dir is not None and not flags.config_dir.is_dir():
        raise ConfigError(f"--config-dir={flags.config_dir}: there is no such folder.")
    if flags.shell_completion:
        _check_completion(flags.overrides)


def _check_completion(words: Sequence[str]) -> None:
    command, _, shell = words[0].partition("=") if len(words) == 1 else ("", "", "")
    if command not in _COMPLETION_COMMANDS or shell not in SHELLS:
        given = " ".join(["-sc", *words])
        raise ConfigError(
            f"{given}: shell completion is told one of {', '.join(_COMPLETION_COMMANDS)}, and the"
            f" shell, which is one of {', '.join(SHELLS)}, as in -sc install=bash."
        )
