"""docs/dynamics.md: its commands are possible, and its own field trains."""

import re
from pathlib import Path

import pytest

DOCS = (Path(__file__).parents[2] / "docs" / "dynamics.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^node-train (.*?)(?: +#.*)?$", DOCS, re.MULTILINE)


def test_there_are_commands():
    assert len(COMMANDS) > 4


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_is_possible(node_train, words):
    done = node_train(*words.split(), "--dry-run")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("adjoint", ["direct", "full"])
def test_a_hamiltonian_field_of_ones_own_trains(tmp_path, node_new, node_train, adjoint):
    assert node_new("spring").returncode == 0
    path = tmp_path / "spring.py"
    (field,) = re.findall(r"```python\n(class Field.*?)```", DOCS, re.DOTALL)
    text, changed = re.subn(
        r"class Field\(nn.Module\):.*?\n\n\n",
        lambda _: field + "\n\n",
        path.read_text(),
        flags=re.DOTALL,
    )
    assert changed == 1
    path.write_text(text)
    done = node_train(
        "--plugin", "spring.py", "task=spring", f"adjoint={adjoint}", "trainer.max_steps=3",
        "data.swings=64", "hydra.run.dir=run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "figures" / "swings.png").exists()
