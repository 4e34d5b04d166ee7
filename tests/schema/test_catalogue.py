import pytest

from node_cli.errors import ConfigError
from node_cli.schema.catalogue import Catalogue
from node_cli.schema.location import conf_dir


def test_defaults_are_those_of_the_main_file():
    defaults = Catalogue([conf_dir()]).defaults()
    assert defaults["solver"] == "dopri5"
    assert defaults["adjoint"] == "direct"
    assert "experiment" not in defaults


def test_it_knows_which_members_have_a_setting():
    having = Catalogue([conf_dir()]).members_with("model.blocks")
    assert having == ["euler-net", "mlp-resnet", "resnet"]


def test_groups_of_the_user_are_added_and_ours_win(tmp_path):
    (tmp_path / "solver").mkdir()
    (tmp_path / "solver" / "mine.yaml").write_text("# my own solver\nname: rk4\n")
    (tmp_path / "solver" / "rk4.yaml").write_text("# not this one\n")
    solvers = Catalogue([conf_dir(), tmp_path]).groups["solver"]
    assert solvers["mine"].description == "my own solver"
    assert solvers["rk4"].description != "not this one"


def test_a_file_that_is_no_yaml_is_named_with_its_line(tmp_path):
    (tmp_path / "solver").mkdir()
    (tmp_path / "solver" / "mine.yaml").write_text("a: 1\nb: [\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml, line 3"):
        Catalogue([conf_dir(), tmp_path]).groups["solver"]["mine"].content()


def test_an_installation_without_conf_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="Install node-cli again"):
        conf_dir(tmp_path / "node_cli")
