from pathlib import Path

import pytest
import yaml

from node_cli.command_line.resumption import resume, resumed_folder
from node_cli.errors import ConfigError


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "a run, with = and space"
    (folder / ".hydra").mkdir(parents=True)
    words = ["solver=rk4", "trainer.max_epochs=3"]
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(words))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.pt").touch()
    return folder


def test_the_folder_is_taken_from_the_word(run_folder):
    assert resumed_folder(["seed=1", f"trainer.resume={run_folder}"]) == run_folder
    assert resumed_folder([f"trainer.resume='{run_folder}'"]) == run_folder
    assert resumed_folder(["trainer.resume=null", "seed=1"]) is None


def test_a_relative_folder_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resumed_folder(["trainer.resume=some/run"]) == Path(tmp_path / "some" / "run")


def test_the_settings_of_the_run_come_back_and_new_ones_win(run_folder):
    words = resume([f"trainer.resume={run_folder}", "trainer.max_epochs=9"], run_folder)
    assert words[:2] == ["solver=rk4", "trainer.max_epochs=9"]
    assert [word.partition("=")[0] for word in words[2:]] == ["trainer.resume", "hydra.run.dir"]


def test_a_folder_in_which_no_run_has_begun_is_named(run_folder):
    (run_folder / ".hydra" / "overrides.yaml").unlink()
    with pytest.raises(ConfigError, match=r"there is no file .* no run has begun"):
        resume([], run_folder)


def test_a_run_without_a_checkpoint_can_begin_again(run_folder):
    (run_folder / "checkpoints" / "last.pt").unlink()
    assert resume([], run_folder)[0] == "solver=rk4"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        resume([], tmp_path / "nowhere")


def test_damaged_settings_are_told(run_folder):
    (run_folder / ".hydra" / "overrides.yaml").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        resume([], run_folder)


def test_another_folder_cannot_be_asked_for(run_folder):
    with pytest.raises(ConfigError, match="in its own folder"):
        resume([f"trainer.resume={run_folder}", "hydra.run.dir=elsewhere"], run_folder)
