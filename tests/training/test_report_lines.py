import itertools

import pytest
import torch
from torch import nn

from node_cli.tasks.images.task import MnistOdeNet
from node_cli.tasks.registry import find_task
from node_cli.training.interruption import StopRequest
from node_cli.training.progress import RunProgress
from node_cli.training.report_lines import closing_parts, epoch_line, opening_parts, packed
from node_cli.training.run import run

SMALL = (
    "task=latent-spirals",
    "data.series=4",
    "data.batch_size=4",
    "data.validation=2",
    "data.test=2",
    "data.points=10",
    "model=rnn",
    "trainer.figures=false",
    "trainer.progress=lines",
    "trainer.device=cpu",
)


def best_of(task):
    """The metric of a task; that of images is made for its model."""
    return MnistOdeNet.best if task == "mnist-odenet" else find_task(task).best


def summary_of(best):
    extreme = 1.2345e13
    names = ("loss", best.name, "bits_per_dim", "kl", "inversion_error", "density_integral")
    return {
        "data": "circles",
        "best": {"epoch": 12345, "value": extreme},
        "final": {f"{name}/test{end}": extreme for name in names for end in ("", "_as_trained")},
        "steps": 123_456_789,
        "seconds": 1e7,
        "nfe": {"forward_mean": 123456.7, "backward_mean": 123456.7},
        "memory": {
            "saved_bytes_peak": 1e12,
            "device_peak_bytes": 1e11,
            "rss_peak_bytes": 1e11,
        },
    }


@pytest.mark.parametrize("task", ["mnist-odenet", "cnf-2d", "latent-spirals"])
@pytest.mark.parametrize("width", [80, 100])
def test_the_closing_lines_fit_the_terminal(task, width):
    best = best_of(task)
    for parts in closing_parts(summary_of(best), best):
        assert max(map(len, packed(parts, "  ", width))) <= width


@pytest.mark.parametrize("width", [60, 80])
def test_the_opening_line_fits_the_terminal(config_of, width):
    config = config_of("task=cnf-2d", "solver=implicit_adams", "seed=123456789012")
    opening = opening_parts(config, "gaussian-mixture", nn.Linear(9, 9), torch.device("cpu"))
    assert max(map(len, packed(opening, " · ", width))) <= width


def test_an_epochs_line_in_the_log_has_numbers_of_any_size():
    line = epoch_line(
        RunProgress(seconds=3.0), 6, {"loss/train": 1.35e13}, {"loss/val": 1e-7}, better=True
    )
    assert line == ("epoch 1/6 · train loss 1.350e+13 · val loss 1.000e-07 · 3 s · best so far")


def epochs_of(lines):
    return [int(line.split()[0].partition("/")[0]) for line in lines]


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        ("trainer.max_epochs=81", [1, *range(3, 82, 3)]),
        ("trainer.max_steps=81", [1, *range(3, 82, 3)]),
    ],
)
def test_a_run_prints_some_of_its_epochs_and_logs_all(
    config_of, tmp_path, capsys, caplog, limit, shown
):
    epochs = () if "epochs" in limit else ("trainer.max_epochs=null",)
    with caplog.at_level("INFO", logger="node_cli.training.terminal"):
        run(config_of(*SMALL, limit, *epochs), tmp_path, StopRequest(), lambda: None)
    said = capsys.readouterr().out.splitlines()
    table = list(itertools.takewhile(lambda line: line != "testing ...", said))
    head = next(number for number, line in enumerate(table) if line.lstrip().startswith("epoch "))
    assert epochs_of(table[head + 1 :]) == shown
    logged = [line for line in caplog.messages if line.startswith("epoch ")]
    assert len(logged) == 81
    assert all("train loss" in line and "val loss" in line for line in logged)


def test_a_run_that_patience_ends_prints_its_last_epoch(config_of, tmp_path, capsys):
    words = ("trainer.max_epochs=1000", "trainer.patience=1", "optimizer.lr=1e-30")
    run(config_of(*SMALL, *words), tmp_path, StopRequest(), lambda: None)
    said = capsys.readouterr().out.splitlines()
    table = [line for line in said if "/1000" in line]
    assert epochs_of(table) == [1, 2]
