import pytest

from node_cli.command_line.folder_name import differing

LEFT_OUT = ("task", "trainer.")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], ""),
        (["task=cnf-2d", "trainer.max_epochs=3"], ""),
        (["solver=rk4", "tolerance.rtol=0.001"], "_solver=rk4,rtol=0.001"),
        (["tolerance.rtol=1e-3", "adjoint.rtol=1e-6"], "_tolerance.rtol=1e-3,adjoint.rtol=1e-6"),
        (["experiment=paper/figure-3"], "_experiment=paper-figure-3"),
        (["+model.hidden=[64,64]", "~study"], "_hidden=64-64,study="),
        (["data.path='/home/a b/c.csv'"], "_path=home-a-b-c.csv"),
    ],
)
def test_a_name_says_what_differs_and_is_one_folder(words, name):
    assert differing(words, LEFT_OUT) == name


def test_a_swept_setting_of_a_left_out_group_is_named_where_only_settings_are_left_out():
    assert differing(["trainer.max_epochs=3", "seed=1"], ["seed"]) == "_max_epochs=3"


def test_a_name_is_never_longer_than_a_file_system_takes():
    assert len(differing([f"model.hidden=[{'64,' * 200}64]"], ())) <= 120
