"""The file that a command is told to write its results to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from node_cli.errors import ConfigError
from node_cli.report.record import is_run_folder
from node_cli.run_folder.own_files import real_path

FORMATS = (".csv", ".npy")


def output_file(text: str) -> Path:
    """The path of a ``.csv`` or ``.npy`` file, as an argument of a command line."""
    path = Path(text)
    if path.suffix not in FORMATS:
        raise argparse.ArgumentTypeError(f"{text} must end in {' or '.join(FORMATS)}")
    return path


def refuse_an_impossible_output(path: Path, *read: Path | None) -> None:
    """Before anything is computed; what else can go wrong is seen when the file is written.

    Args:
        path: of ``--output``.
        read: files that the command reads.

    Raises:
        ConfigError: it cannot be written to, or holds what must not be lost.
    """
    if path.is_dir():
        raise ConfigError(f"--output {path}: this is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise ConfigError(f"--output {path}: there is no folder {path.parent}; make it first.")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"--output {path}: {path.parent} cannot be written to; name another.")
    for other in filter(None, read):
        if real_path(path) == real_path(other):
            raise ConfigError(
                f"--output {path}: this is the file {other}, which is read; name another."
            )


def refuse_a_file_of_a_run(path: Path) -> None:
    """Keep what runs have written: an output may be new in a run folder, and replaces nothing.

    Raises:
        ConfigError: a file is there, in the folder of a run.
    """
    if not os.path.lexists(path):
        return
    for folder in real_path(path.parent).joinpath(path.name).parents:
        if is_run_folder(folder):
            raise ConfigError(
                f"--output {path}: this file is there, in the folder of the run {folder}, whose"
                " files are not replaced; name another."
            )
