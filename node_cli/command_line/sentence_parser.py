"""The parser of all commands' flags."""

from __future__ import annotations

import argparse
from typing import NoReturn

from node_cli.errors import ConfigError


class SentenceParser(argparse.ArgumentParser):
    """An argument parser whose complaint is a ``ConfigError`` and not the end of the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong as one sentence that names the command's help."""
        command = self.prog.partition(" ")[0]  # of node-flow sample: node-flow
        raise ConfigError(f"{message.removeprefix('argument ')}. See {command} --help.")
