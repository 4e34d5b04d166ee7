import json

import pytest

from node_cli.errors import ConfigError
from node_cli.sweeping.plan import SweepPlan, continued, is_sweep


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


def test_a_plan_holds_no_path_so_that_the_folder_can_be_moved(sweep):
    assert json.loads((sweep / "sweep.json").read_text())["folder"] is None
