import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from node_cli.command_line.overrides import cells, check, quoted
from node_cli.errors import ConfigError
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.location import conf_dir

CATALOGUE = Catalogue([conf_dir()])


@pytest.mark.parametrize(
    ("overrides", "fragment"),
    [
        (["solver=rk4", "solver=euler"], "given twice"),
        (["solver=5"], "there is no such solver"),
        (["+solver=rk4"], "leave out the +"),
        (["solver.step_size=0.1", "solver.num_steps=5"], "not both"),
        (["model._target_=os.system"], "cannot name code"),
        (["hydra.callbacks.a=b"], "What can be told to Hydra"),
        (["rk4"], "NAME=VALUE"),
        (["=3"], "NAME=VALUE"),
        (["data.root={"], "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_refused(overrides, fragment):
    with pytest.raises(ConfigError) as raised:
        check(overrides, CATALOGUE)
    assert fragment in str(raised.value)


def test_sensible_words_pass():
    check(["solver=rk4", "solver.step_size=0.25", "tolerance.rtol=1e-2,1e-3", "seed=3"], CATALOGUE)


def test_a_step_may_be_taken_back_in_favour_of_a_count():
    check(["solver.step_size=null", "solver.num_steps=5"], CATALOGUE)


def test_a_sweep_has_the_cells_of_the_product():
    jobs = list(cells(["tolerance.rtol=1e-2,1e-3", "seed=range(3)", "model=resnet"], 100))
    assert len(jobs) == 6
    assert jobs[0] == ["tolerance.rtol=0.01", "seed=0", "model=resnet"]
    assert jobs[-1] == ["tolerance.rtol=0.001", "seed=2", "model=resnet"]


def test_no_more_cells_are_made_than_asked_for():
    assert len(list(cells(["seed=range(1000000)"], 7))) == 7


@pytest.mark.parametrize(
    "text", ["plain", "with space", "a,b=c", "it's", "back\\slash", "end\\", "\\'", "ü {}[]:$"]
)
def test_quoted_text_is_read_back_unchanged(text):
    override = OverridesParser.create().parse_override(f"data.root={quoted(text)}")
    assert override.value() == text
