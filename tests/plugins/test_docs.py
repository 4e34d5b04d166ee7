"""docs/your-own-task.md shows what node-new writes."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "your-own-task.md"
BLOCKS = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
PREDICTING = next(block for block in BLOCKS if "def predict" in block)  # what one may add
CODE = [block for block in BLOCKS if not block.startswith("run = node_cli") and block != PREDICTING]


def test_there_is_code_to_look_at():
    assert len(CODE) == 5


@pytest.mark.parametrize("number", range(len(CODE)))
def test_the_code_is_that_of_the_files(tmp_path, node_new, number):
    assert node_new("pendulum").returncode == 0
    assert node_new("swirl", "--for", "cnf-2d").returncode == 0
    written = [(tmp_path / name).read_text() for name in ("pendulum.py", "swirl.py")]
    assert any(CODE[number] in text for text in written)


def test_the_commands_are_possible(tmp_path, node_new, node_train):
    assert node_new("pendulum").returncode == 0
    assert node_new("swirl", "--for", "cnf-2d").returncode == 0
    commands = re.findall(r"^node-train (.*)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    tried = [words.split() for words in commands if "resume" not in words]
    assert len(tried) == 3
    for words in tried:
        done = node_train(*words, "--dry-run")
        assert done.returncode == 0, done.stderr
