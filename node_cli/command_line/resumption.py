"""``trainer.resume=FOLDER``: the settings of a run, to go on with it in its own folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from node_cli.command_line.overrides import parse, quoted
from node_cli.errors import ConfigError
from node_cli.run_folder.own_files import OwnFiles, absolute
from node_cli.run_folder.recorded_command import recorded_overrides
from node_cli.run_folder.recording import RESUME, overrides_file


def resumed_folder(overrides: Sequence[str]) -> Path | None:
    """The run folder that the command line names, or None.

    The rest of the word is taken as the path, so that spaces, commas and ``=`` need no second pair
    of quotes.
    """
    for word in overrides:
        name, _, text = word.partition("=")
        if name.lstrip("+") == RESUME and text != "null":
            if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
                text = str(parse([word])[0].value())
            return absolute(Path(text))
    return None


def resume(overrides: Sequence[str], folder: Path) -> list[str]:
    """The overrides that go on with a run: its own, then those given now, which win.

    Args:
        overrides: of the command line, with ``trainer.resume``.
        folder: the run folder.

    Raises:
        ConfigError: the folder is not that of a run that has begun, or another is asked for.
    """
    given = [word for word in overrides if not _names(word, RESUME)]
    if any(_names(word, "hydra.run.dir") for word in given):
        raise ConfigError(
            "hydra.run.dir trainer.resume: a run goes on in its own folder; leave out"
            " hydra.run.dir."
        )
    anew = {_key(word) for word in (*given, f"{RESUME}=")}
    kept = [word for word in _saved_overrides(folder) if _key(word) not in anew]
    path = quoted(str(folder))
    return [*kept, *given, f"{RESUME}={path}", f"hydra.run.dir={path}"]


def resume_command(folder: Path, own: OwnFiles) -> str:
    """The command line that goes on with a run or a sweep, for a shell."""
    return shlex.join(["node-train", *own.flags, f"{RESUME}={folder}"])


def _saved_overrides(folder: Path) -> list[str]:
    saved = overrides_file(folder)
    if not folder.is_dir():
        raise ConfigError(
            f"{RESUME}={folder}: there is no folder {folder}. Give that of a run, such as"
            " outputs/TASK/DATE_TIME."
        )
    if not saved.exists():
        raise ConfigError(
            f"{RESUME}={folder}: there is no file {saved}, so that no run has begun there. Give"
            " the folder of a run, such as outputs/TASK/DATE_TIME, or begin one there with your"
            f" settings and hydra.run.dir={folder}."
        )
    try:
        return recorded_overrides(folder)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{RESUME}={folder}: {saved} cannot be read: {error}.") from error


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _names(word: str, key: str) -> bool:
    return _key(word) == key
