from node_cli.training.means import Means


def test_each_tag_is_averaged_over_the_steps_that_had_it():
    means = Means()
    means.add({"loss": 1.0, "bytes": 10})
    means.add({"loss": 3.0})
    assert means.means() == {"loss": 2.0, "bytes": 10.0}


def test_means_go_on_from_their_state_and_start_anew_after_clear():
    means = Means()
    means.add({"loss": 1.0})
    again = Means(means.state())
    again.add({"loss": 2.0})
    assert again.means() == {"loss": 1.5}
    assert means.means() == {"loss": 1.0}
    again.clear()
    assert again.means() == {}
