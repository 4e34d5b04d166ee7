import math
from itertools import count, takewhile

import pytest

from node_cli.tasks.images.task import MnistOdeNet
from node_cli.tasks.registry import find_task
from node_cli.training.epoch_table import EpochTable, elapsed, is_shown, number
from node_cli.training.progress import RunProgress

TASKS = ("mnist-odenet", "cnf-2d", "cnf-tabular", "latent-spirals")
EXTREME = (0.0, 1e-7, -1e-7, 0.5, -12.25, 99999.99999, -99999.9, 1.35e13, -1.35e13, -1e308, 1e-308)


def best_of(task):
    """The metric of a task; that of images is made for its model."""
    return MnistOdeNet.best if task == "mnist-odenet" else find_task(task).best


def rows_of(table, epochs, value=1.0, evaluations=20.0, seconds=1.0, name="loss"):
    """What is printed of epochs that all came to the same, of which each third is the best."""
    printed = []
    for epoch in epochs:
        progress = RunProgress(epoch=epoch - 1, seconds=seconds)
        means = {"loss/train": value, "nfe/forward": evaluations, "nfe/backward": evaluations}
        validation = {
            "loss/val": value,
            f"{name}/val": 1.0 if name == "accuracy" else value,
            "other/val": 7.0,
        }
        last = epoch == table.last_epoch
        printed += table.rows(progress, means, validation, epoch % 3 == 0, last)
    return printed


@pytest.mark.parametrize(
    ("epochs", "rows"), [(1, 1), (6, 6), (40, 40), (41, 22), (500, 40), (10_000, 41)]
)
def test_about_forty_epochs_are_shown_of_a_run_of_any_length(epochs, rows):
    shown = [epoch for epoch in range(1, epochs + 1) if is_shown(epoch, epochs)]
    assert len(shown) == rows
    assert shown[0] == 1
    assert shown[-1] == epochs


def test_epochs_thin_out_where_their_number_is_not_known():
    shown = [epoch for epoch in takewhile(lambda n: n <= 10_000, count(1)) if is_shown(epoch, None)]
    assert shown[:12] == [*range(1, 11), 20, 30]
    assert shown[-3:] == [8000, 9000, 10_000]
    assert len(shown) == 10 + 9 + 9 + 9


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("last_epoch", [None, 6, 10_000])
def test_rows_have_room_for_extreme_numbers_and_stand_under_each_other(task, last_epoch):
    best = best_of(task)
    ends = set()
    for value in (*EXTREME, math.inf, -math.inf, math.nan):
        table = EpochTable(best, last_epoch)
        epochs = (1, 6, 10_000) if last_epoch != 6 else (1, 6)
        rows = rows_of(table, epochs, value, 123456.7, 3e6, best.name)
        assert max(map(len, rows)) <= 100
        # Without the marks, which stand behind all columns.
        ends |= {len(row.removesuffix("  new best")) for row in rows}
    assert len(ends) == 1


def test_a_table_says_what_its_columns_are_and_marks_what_is_the_best_so_far():
    best = best_of("mnist-odenet")
    head, *rows = rows_of(EpochTable(best, 6), range(1, 7), 0.25, name="accuracy")
    assert head == "epoch  train loss    val loss  val accuracy   NFE-F   NFE-B    time"
    assert rows[0] == "  1/6      0.2500      0.2500       100.00%    20.0    20.0     1 s"
    assert [row.endswith("  new best") for row in rows] == [False, False, True] * 2


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_gets_fewer_columns(task, width):
    best = best_of(task)
    rows = rows_of(EpochTable(best, 6, width), range(1, 7), name=best.name)
    assert max(map(len, rows)) <= width
    assert rows[0].split()[:3] == ["epoch", "train", "loss"]


def test_a_resumed_run_begins_its_table_with_the_epoch_it_is_at():
    rows = rows_of(EpochTable(best_of("cnf-2d"), 500), range(14, 27), name="nll")
    assert [row.split()[0] for row in rows] == ["epoch", "14/500", "26/500"]


def test_a_model_without_an_ode_has_no_columns_of_evaluations():
    table = EpochTable(best_of("mnist-odenet"), 2)
    head, _ = table.rows(RunProgress(), {"loss/train": 1.0}, {"loss/val": 1.0}, False, False)
    assert "NFE" not in head


def test_an_epoch_that_ends_the_run_is_shown_whichever_it_is():
    table = EpochTable(best_of("cnf-2d"), 500)
    rows_of(table, [1], name="nll")
    assert rows_of(table, [17], name="nll") == []
    ended = table.rows(RunProgress(epoch=16), {"loss/train": 1.0}, {"nll/val": 1.0}, False, True)
    assert len(ended) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (0.1234567, "0.1235"),
        (-1234.5678, "-1234.5678"),
        (12345.678, "12345.6780"),
        (123456.7, "1.235e+05"),
        (1.35e13, "1.350e+13"),
        (-1.35e13, "-1.350e+13"),
        (1e-7, "1.000e-07"),
        (-1e-7, "-1.000e-07"),
        (-1e300, "-1.00e+300"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_a_number_keeps_its_width(value, text):
    assert number(value) == text.rjust(10)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (999.4, "999 s"), (999.6, "17 min"), (5940, "99 min"), (6000, "1.7 h"),
     (3.6e6, "1000 h")],
)  # fmt: skip
def test_times_are_short(seconds, text):
    assert elapsed(seconds) == text
