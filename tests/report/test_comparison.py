import statistics

import pytest

from node_cli.errors import ConfigError
from node_cli.report.columns import column
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
        assert row["error se"] == pytest.approx(statistics.stdev(errors) / len(errors) ** 0.5)
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


def test_only_finished_runs_count_in_a_standard_error(a_run):
    folders = [a_run(accuracy=value) for value in (0.8, 0.9)]
    folders += [a_run(accuracy=0.1, status="failed") for _ in range(7)]
    (row,) = compared(folders).groups().to_dict("records")
    assert row["error se"] == pytest.approx(0.05)


def test_one_run_has_no_spread(a_run):
    (row,) = compared([a_run()]).groups().to_dict("records")
    assert row["±error"] != row["±error"]
    assert row["error se"] != row["error se"]


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
    settings = {"adjoint.rtol": "None", "adjoint.solver": "None", "adjoint.mode": "full"}
    comparison = compared([a_run({"tolerance.rtol": rtol, **settings}) for rtol in (1e-2, 1e-3)])

    def column(name):
        return comparison.column(name, "--x", [*comparison.settings, *comparison.values])

    assert column("rtol") == "tolerance.rtol"
    assert column("accuracy") == "accuracy/test"
    assert column("solver.name") == "solver.name"
    assert column("solver") == "solver.name"
    assert column("adjoint") == "adjoint.mode"
    with pytest.raises(ConfigError, match="did you mean error"):
        column("eror")
    with pytest.raises(ConfigError, match=r"tolerance\.atol or adjoint\.atol"):
        comparison.column("atol", "--x", ["tolerance.atol", "adjoint.atol"])
    with pytest.raises(ConfigError, match="no such column"):
        comparison.column("seed", "--y", comparison.values)


def test_short_names_stay_different():
    keys = ["solver.name", "adjoint.mode", "tolerance.rtol", "evaluation.rtol", "seed"]
    assert list(short(keys).values()) == [
        "solver",
        "adjoint",
        "tolerance.rtol",
        "evaluation.rtol",
        "seed",
    ]


FLOW = {"metric": "nll", "goal": "min", "value": 1.0}


def test_the_error_says_what_it_is(a_run):
    image, flow = a_run(), a_run(best=FLOW, final={"nll/test": 1.0})
    said = {
        "test error (1 - accuracy)": [image],
        "nll of the test set": [flow],
        "test error": [image, flow],
    }
    for words, folders in said.items():
        assert column("error", compared(folders).metrics).axis == words


def test_errors_of_different_tasks_are_kept_apart(a_run):
    folders = [
        a_run({"task.name": "mnist-odenet"}),
        a_run({"task.name": "cnf-2d"}, best=FLOW, final={"nll/test": 1.0}),
        a_run({"task.name": "cnf-2d"}, status="failed"),
    ]
    parts = compared(folders).by_task()
    assert list(parts) == ["mnist-odenet accuracy", "cnf-2d nll"]
    assert [len(part.runs) for part in parts.values()] == [1, 1]
    assert list(compared(folders[1:2]).by_task()) == [""]


def test_runs_on_different_files_are_no_seeds_of_each_other(a_run):
    comparison = compared([a_run({"data.path": path}) for path in ("a.csv", "b.csv")])
    assert comparison.keys == ["data.path"]


def test_a_mean_with_a_run_that_has_no_number_is_none(a_run):
    folders = [a_run(accuracy=value) for value in (0.5, float("nan"), 0.7)]
    (row,) = compared(folders).groups().to_dict("records")
    assert row["error"] != row["error"]
    assert row["nfe_forward"] == 20.0
