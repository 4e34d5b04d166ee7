"""The commands of docs/sde.md are possible."""

import re
from pathlib import Path

import pytest

pytest.importorskip("torchsde")

DOCS = (Path(__file__).parents[2] / "docs" / "sde.md").read_text(encoding="utf-8")
BLOCKS = "\n".join(re.findall(r"^```\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^node-train(.*?)(?: +#.*)?$", BLOCKS.replace("\\\n", ""), re.MULTILINE)
# Of the user's own file, and of one that comes with a package that need not be there.
COMMANDS = [words for words in COMMANDS if "FILE" not in words and "inflation" not in words]


def test_there_are_commands():
    assert len(COMMANDS) > 6


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_is_possible(node_train, words):
    done = node_train(*words.split(), "--dry-run")
    assert done.returncode == 0, done.stderr
