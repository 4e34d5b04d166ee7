import math
import random

import pytest

from node_cli.report.charts import charts, default_axes, pareto_front
from node_cli.report.comparison import Comparison
from node_cli.report.learning_curves import curve
from node_cli.report.record import read_record


def compared(folders):
    return Comparison([read_record(folder) for folder in folders])


def drawn(comparison, **axes):
    chosen = default_axes(comparison, axes.get("x"), axes.get("y"), axes.get("by"))
    return {chart.name: chart for chart in charts(comparison, chosen)}


@pytest.fixture
def tolerance_sweep(a_run):
    return compared(
        [
            a_run(
                {"solver.name": solver, "adjoint.mode": mode, "tolerance.rtol": 10.0**-k},
                accuracy=0.9 + 0.01 * k + 0.001 * seed,
                nfe=10.0 * k + seed,
                curve=[0.3, 0.6, 0.9],
            )
            for solver in ("dopri5", "bosh3")
            for mode in ("direct", "full")
            for k in (1, 2, 3)
            for seed in (0, 1)
        ]
    )


def test_the_front_is_what_nothing_beats_in_both():
    rng = random.Random(0)
    for _ in range(200):
        points = [(rng.randrange(8), rng.randrange(8)) for _ in range(rng.randrange(12))]
        front = [points[i] for i in pareto_front(points)]
        beaten = {p for p in points for q in points if q != p and q[0] <= p[0] and q[1] <= p[1]}
        assert front == sorted(set(points) - beaten)


def test_what_is_not_known_is_not_on_the_front():
    assert pareto_front([(math.nan, 0.0), (1.0, math.nan), (2.0, 2.0)]) == [2]


def test_a_tolerance_sweep_is_drawn_as_one_expects(tolerance_sweep):
    axes = default_axes(tolerance_sweep, None, None, None)
    assert (axes.x, axes.y, axes.by) == ("tolerance.rtol", "error", "solver.name")
    assert set(drawn(tolerance_sweep)) == {
        "comparison",
        "work_precision",
        "nfe_against_tolerance",
        "memory",
        "pareto_front",
        "learning_curves",
    }


def line_of(axis, label):
    (found,) = [c for c in axis.containers if c.get_label() == label]
    points = found.lines[0].get_xydata()
    return [tuple(point) for point in points]


def test_the_points_are_the_means(tolerance_sweep):
    (axis,) = drawn(tolerance_sweep)["comparison"].figure.axes
    assert axis.get_xscale() == axis.get_yscale() == "log"
    assert axis.get_xlabel() == "tolerance.rtol"
    found = line_of(axis, "solver=bosh3 adjoint=full")
    wanted = [(10.0**-k, 1 - (0.9 + 0.01 * k + 0.0005)) for k in (3, 2, 1)]
    assert found == [pytest.approx(point) for point in wanted]


def test_work_and_precision_are_logarithmic_and_in_the_order_of_the_tolerance(tolerance_sweep):
    nfe, seconds = drawn(tolerance_sweep)["work_precision"].figure.axes
    assert nfe.get_xscale() == nfe.get_yscale() == "log"
    assert [x for x, _ in line_of(nfe, "solver=dopri5 adjoint=direct")] == [30.5, 20.5, 10.5]
    assert seconds.get_xlabel() == "seconds of training"


def test_nfe_forward_and_backward_stand_side_by_side(tolerance_sweep):
    forward, backward = drawn(tolerance_sweep)["nfe_against_tolerance"].figure.axes
    label = "solver=dopri5 adjoint=full"
    assert [y for _, y in line_of(forward, label)] == [30.5, 20.5, 10.5]
    assert [y for _, y in line_of(backward, label)] == [0.0, 0.0, 0.0]


def test_the_axes_can_be_chosen(tolerance_sweep):
    (axis,) = drawn(tolerance_sweep, x="tolerance.rtol", y="nfe_forward", by="adjoint.mode")[
        "comparison"
    ].figure.axes
    assert axis.get_ylabel() == "NFE-F a step"
    assert len(line_of(axis, "adjoint=direct solver=bosh3")) == 3


def test_more_lines_than_can_be_told_apart_become_means(a_run):
    comparison = compared(
        [
            a_run({"solver.name": solver, "optimizer.lr": lr, "tolerance.rtol": rtol}, accuracy=lr)
            for solver in ("dopri5", "bosh3")
            for lr in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
            for rtol in (1e-2, 1e-3)
        ]
    )
    chart = drawn(comparison)["comparison"]
    (axis,) = chart.figure.axes
    assert "over seeds, optimizer.lr" in chart.caption
    assert line_of(axis, "solver=dopri5") == [
        pytest.approx((1e-3, 0.65)),
        pytest.approx((1e-2, 0.65)),
    ]


def test_without_numbers_the_groups_stand_below_each_other(a_run):
    comparison = compared(
        [a_run({"model.name": name}, accuracy=a) for name, a in [("odenet", 0.9), ("resnet", 0.95)]]
    )
    (axis,) = drawn(comparison)["comparison"].figure.axes
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["model=resnet", "model=odenet"]


def test_learning_curves_are_means_of_epochs(a_run):
    folders = [
        a_run({"tolerance.rtol": 1e-2}, curve=[0.2, 0.4]),
        a_run({"tolerance.rtol": 1e-2}, curve=[0.4, 0.6]),
        a_run({"tolerance.rtol": 1e-3}, curve=[0.5]),
    ]
    assert curve(folders[0], "accuracy/val") == [(1.0, 0.2), (2.0, 0.4)]
    (axis,) = drawn(compared(folders))["learning_curves"].figure.axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in axis.get_lines()}
    assert lines["rtol=0.01"] == [pytest.approx([1.0, 0.3]), pytest.approx([2.0, 0.5])]
    assert lines["rtol=0.001"] == [[1.0, 0.5]]


def test_evaluations_are_drawn_over_the_epochs_beside_the_loss(a_run):
    folder = a_run(curve=[0.2, 0.4])
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1, "epoch": 1.0, "nfe/forward_val": 26.0}\n')
    _, axis = drawn(compared([folder]))["learning_curves"].figure.axes
    assert axis.get_ylabel() == "NFE-F of a validation batch"
    assert axis.get_lines()[0].get_xydata().tolist() == [[1.0, 26.0]]


def test_of_runs_that_did_not_finish_nothing_is_drawn(a_run):
    assert drawn(compared([a_run(status="failed", cause="diverged")])) == {}


def test_every_chart_is_a_picture(tolerance_sweep):
    for chart in drawn(tolerance_sweep).values():
        assert chart.svg.startswith(b"<?xml")
        assert chart.caption


@pytest.mark.parametrize("x", ["nfe_forward", "error", "adjoint.mode", "seed", "tolerance.rtol"])
@pytest.mark.parametrize("y", ["error", "nfe", "seconds", "accuracy/test"])
@pytest.mark.parametrize("by", ["solver.name", "seed"])
def test_whatever_is_asked_for_is_drawn(tolerance_sweep, x, y, by):
    axes = default_axes(tolerance_sweep, x, y, by)
    assert next(charts(tolerance_sweep, axes)).figure.axes


def test_the_front_is_that_of_the_error_whatever_else_is_up(tolerance_sweep):
    chosen = drawn(tolerance_sweep, y="accuracy/test")["pareto_front"]
    assert chosen.caption == drawn(tolerance_sweep)["pareto_front"].caption


def test_texts_of_the_user_are_no_formulas(a_run):
    comparison = compared([a_run({"data.path": path}) for path in ("a$\\frac$b", "[/x]")])
    for chart in drawn(comparison).values():
        assert chart.svg


@pytest.mark.parametrize("line", ['{"accuracy/val": oops}', '{"accuracy/val": null}', "{"])
def test_a_damaged_line_is_left_out_of_a_curve(a_run, line):
    folder = a_run(curve=[0.5])
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(line)
    assert curve(folder, "accuracy/val") == [(1.0, 0.5)]
