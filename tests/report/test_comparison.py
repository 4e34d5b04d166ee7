import statistics

import pytest

from node_cli.errors import ConfigError
from node_cli.report.comparison import Comparison, short
from node_cli.report.record import read_record


def compared(folders):
    return Comparison([read_record(folder) for folder in folders])


def test_means_and_spreads_over_seeds(a_run):
    accuracies = {1e-2: [0.8, 0.9, 0.7], 1e-3: [0.95, 0.93]}
    folders = [
        a_run({"tolerance.rtol": rtol}, accuracy=value, nfe=30 * value)
        for rtol, values in accuracies.items()
        for value in values
    ]
    comparison = compared(folders)
    assert comparison.keys == ["tolerance.rtol"]
    for row in comparison.groups().to_dict("records"):
        values = accuracies[row["tolerance.rtol"]]
        errors = [1 - value for value in values]
        assert row["runs"] == row["finished"] == len(values)
        assert row["error"] == pytest.approx(statistics.mean(errors))
        assert row["±error"] == pytest.approx(statistics.stdev(errors))
        assert row["nfe_forward"] == pytest.approx(30 * statistics.mean(values))


def test_a_run_that_did_not_finish_is_counted_and_not_averaged(a_run):
    folders = [
        a_run({"tolerance.rtol": 1e-2}, accuracy=0.8),
        a_run({"tolerance.rtol": 1e-2}, accuracy=0.1, status="interrupted", cause="SIGINT"),
        a_run({"tolerance.rtol": 1e-3}, accuracy=0.1, status="failed", cause="diverged"),
    ]
    low, high = compared(folders).groups().to_dict("records")
    assert (high["runs"], high["finished"]) == (2, 1)
    assert high["error"] == pytest.approx(0.2)
    assert (low["runs"], low["finished"]) == (1, 0)
    assert low["error"] != low["error"]  # nan: nothing is known


def test_one_run_has_no_spread(a_run):
    (row,) = compared([a_run()]).groups().to_dict("records")
    assert row["±error"] != row["±error"]


def test_without_differences_all_runs_are_one_group(a_run):
    comparison = compared([a_run(accuracy=0.5), a_run(accuracy=0.7)])
    assert comparison.keys == []
    (row,) = comparison.groups().to_dict("records")
    assert row["runs"] == 2
    assert row["error"] == pytest.approx(0.4)


def test_what_follows_from_another_setting_makes_no_column(a_run):
    order = {"dopri5": 5, "rk4": 4}
    folders = [
        a_run({"solver.name": name, "solver.order": order[name], "tolerance.rtol": rtol})
        for name in order
        for rtol in (1e-2, 1e-3)
    ]
    assert compared(folders).keys == ["solver.name", "tolerance.rtol"]


def test_what_a_command_names_makes_a_column_even_where_it_follows(a_run):
    # Each solver was run at one tolerance of its own; hiding either would mislead.
    folders = [
        a_run({"solver.name": name, "tolerance.rtol": rtol}, command=f"node-train {words}")
        for name, rtol, words in [
            ("dopri5", 1e-2, "tolerance.rtol=1e-2"),
            ("rk4", 1e-3, "solver=rk4 tolerance.rtol=1e-3"),
        ]
    ]
    assert compared(folders).keys == ["solver.name", "tolerance.rtol"]


def test_runs_that_differ_are_never_averaged_together(a_run):
    folders = [
        a_run({"solver.name": name, "solver.step_size": step, "model.hidden": hidden})
        for name, step, hidden in [
            ("rk4", 0.1, "[64, 64]"),
            ("rk4", 0.1, "[64]"),
            ("dopri5", "None", "[64]"),
            ("dopri5", None, "[64, 64]"),
        ]
    ]
    assert all(row["runs"] == 1 for row in compared(folders).groups().to_dict("records"))


def test_groups_are_in_the_order_of_numbers(a_run):
    folders = [a_run({"model.blocks": blocks}) for blocks in (16, 2, 4)]
    assert list(compared(folders).groups()["model.blocks"]) == [2, 4, 16]


def test_a_column_can_be_named_shortly(a_run):
    comparison = compared(
        [a_run({"tolerance.rtol": rtol, "adjoint.rtol": "None"}) for rtol in (1e-2, 1e-3)]
    )
    assert comparison.column("rtol", "--x") == "tolerance.rtol"
    assert comparison.column("accuracy", "--y") == "accuracy/test"
    assert comparison.column("solver.name", "--by") == "solver.name"
    assert comparison.column("solver", "--by") == "solver.name"
    with pytest.raises(ConfigError, match="did you mean error"):
        comparison.column("eror", "--y")
    with pytest.raises(ConfigError, match=r"tolerance\.atol or adjoint\.atol"):
        compared([a_run({"tolerance.atol": 1e-3, "adjoint.atol": 1e-3})]).column("atol", "--x")


def test_short_names_stay_different():
    keys = ["solver.name", "adjoint.mode", "tolerance.rtol", "evaluation.rtol", "seed"]
    assert list(short(keys).values()) == [
        "solver",
        "adjoint",
        "tolerance.rtol",
        "evaluation.rtol",
        "seed",
    ]


def test_the_error_says_what_it_is(a_run):
    assert compared([a_run()]).metric == "test error (1 - accuracy)"
    flow = {"metric": "nll", "goal": "min", "value": 1.0}
    assert compared([a_run(best=flow, final={"nll/test": 1.0})]).metric == "nll of the test set"
    both = [a_run(), a_run(best=flow, final={"nll/test": 1.0})]
    assert compared(both).metric == "test error"
