import json

import pytest

from node_cli.errors import ConfigError
from node_cli.sweeping.plan import SweepPlan, continued, is_sweep, is_the_same_sweep, own_files_of


@pytest.fixture
def sweep(tmp_path):
    words = ("solver=rk4,euler", "seed=0,1", "hydra/launcher=plugin/joblib")
    SweepPlan(tmp_path, words, 4, "joblib").write()
    return tmp_path


def test_a_sweep_is_known_by_its_plan(sweep, tmp_path):
    assert is_sweep(sweep)
    assert not is_sweep(tmp_path / "elsewhere")


def test_it_goes_on_with_its_own_words(sweep):
    assert continued([f"trainer.resume={sweep}"], sweep) == [
        "solver=rk4,euler",
        "seed=0,1",
        "hydra/launcher=plugin/joblib",
    ]


def test_where_it_runs_can_change(sweep):
    words = continued([f"trainer.resume={sweep}", "hydra/launcher=basic"], sweep)
    assert words == ["solver=rk4,euler", "seed=0,1", "hydra/launcher=basic"]


@pytest.mark.parametrize("word", ["seed=3", "solver=rk4", "+model.channels=2"])
def test_what_it_runs_cannot(sweep, word):
    with pytest.raises(ConfigError, match="goes on with its own settings"):
        continued([f"trainer.resume={sweep}", word], sweep)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"overrides": 3}', '{"overrides": [3]}'])
def test_a_damaged_plan_is_told(sweep, text):
    (sweep / "sweep.json").write_text(text)
    with pytest.raises(ConfigError, match="cannot be read"):
        continued([], sweep)


def test_another_launcher_has_settings_of_its_own(tmp_path):
    words = ("seed=0,1", "hydra/launcher=plugin/joblib", "hydra.launcher.n_jobs=2")
    SweepPlan(tmp_path, words, 2, "joblib").write()
    assert continued(["hydra/launcher=basic"], tmp_path) == ["seed=0,1", "hydra/launcher=basic"]
    assert is_the_same_sweep(tmp_path, ["seed=0,1", "hydra.sweep.dir=x"])
    assert not is_the_same_sweep(tmp_path, ["seed=0,2"])


def test_the_config_folder_of_the_user_is_kept(tmp_path):
    SweepPlan(tmp_path, (), 1, config_dir=tmp_path / "mine").write()
    assert own_files_of(tmp_path).config_dir == tmp_path / "mine"


def test_a_plan_holds_no_path_so_that_the_folder_can_be_moved(sweep):
    assert json.loads((sweep / "sweep.json").read_text())["folder"] is None
