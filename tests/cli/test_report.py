"""node-report and TensorBoard on the folder of a real sweep."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from html import unescape

import pytest
from browser import chromium_page
from commands import run_here
from runs import TINY
from small_images import small_images

from node_cli.cli import node_train
from node_cli.report_cli import node_report

COLUMNS = ("tolerance.rtol", "runs", "finished", "error", "error std", "error se", "nfe_forward")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Four cells that finish, and four that fail."""
    folder = tmp_path_factory.mktemp("sweep")
    words = [word for word in TINY if not word.startswith("solver")]
    words += [*small_images(folder), "trainer.max_epochs=2", "trainer.overfit_batches=3"]
    words += ["solver=dopri5", "tolerance.rtol=1e-1,1e-3", "seed=0,1"]
    drawn = ["trainer.figures=true", "hydra.sweep.dir=s"]
    done = run_here(node_train, ["-m", *words, *drawn], folder)
    assert done.returncode == 0, done.stderr
    failing = [*words, "hydra.sweep.dir=failed", "optimizer.lr=1e30"]
    failed = run_here(node_train, ["-m", *failing], folder)
    assert failed.returncode == 1
    return folder


@pytest.mark.slow
def test_a_sweep_becomes_tables_figures_and_a_page(sweep, tmp_path, capsys):
    assert node_report([str(sweep / "s"), "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    with (tmp_path / "groups.csv").open() as file:
        groups = list(csv.DictReader(file))
    assert set(COLUMNS) <= set(groups[0])
    assert [float(group["tolerance.rtol"]) for group in groups] == [1e-3, 1e-1]
    assert [group["runs"] for group in groups] == ["2", "2"]
    with (tmp_path / "runs.csv").open() as file:
        runs = list(csv.DictReader(file))
    for group in groups:
        errors = [
            1 - float(run["accuracy/test"])
            for run in runs
            if run["tolerance.rtol"] == group["tolerance.rtol"]
        ]
        assert float(group["error"]) == pytest.approx(sum(errors) / 2)
        assert f"{float(group['error']):.4g}" in shown
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    names = ("comparison", "work_precision", "nfe_against_tolerance", "pareto_front")
    for name in (*names, "learning_curves"):
        assert {f"{name}.png", f"{name}.svg"} <= figures
    page = unescape((tmp_path / "report.html").read_text())
    markdown = (tmp_path / "report.md").read_text()
    for run in runs:
        assert run["command"].startswith("node-train model.channels=4")
        assert run["command"] in page
        assert run["command"] in markdown


@pytest.mark.slow
def test_failed_and_partial_runs_are_shown_beside_the_others(sweep, tmp_path, capsys):
    (tmp_path / "killed" / ".hydra").mkdir(parents=True)
    (tmp_path / "killed" / ".hydra" / "overrides.yaml").write_text("[seed=7]")
    (tmp_path / "killed" / ".hydra" / "config.yaml").write_text("seed: 7")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "summary.json").write_text('{"status": "fini')
    output = tmp_path / "report"
    (path,) = sweep.glob("failed/0_*/summary.json")
    cause = json.loads(path.read_text())["cause"]
    assert node_report([str(sweep), str(tmp_path), "--output", str(output)]) == 0
    assert "not finished: 4 failed, 1 unreadable, 1 unfinished" in capsys.readouterr().out
    page = (output / "report.html").read_text()
    for words in (cause, "JSONDecodeError", "still going on, or it was killed"):
        assert words in page
        assert words in (output / "report.md").read_text()


@pytest.mark.slow
def test_axes_and_runs_can_be_chosen(sweep, tmp_path, capsys):
    axes = ["--x", "seed", "--y", "nfe_forward", "--by", "rtol"]
    assert node_report([str(sweep), *axes, "--output", str(tmp_path)]) == 0
    assert "NFE-F a step against seed" in (tmp_path / "report.md").read_text()
    assert node_report([str(sweep), "--where", "rtol=1e-3", "--output", str(tmp_path)]) == 0
    with (tmp_path / "runs.csv").open() as file:
        assert {run["tolerance.rtol"] for run in csv.DictReader(file)} == {"0.001"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--x", "speed"], "no such column"),
        (["--y", "eror"], "did you mean error?"),
        (["--where", "rtol"], "write COLUMN=VALUE"),
        (["--where", "rtol=7"], "there is no such run"),
        (["--colour", "red"], "unrecognized arguments"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(sweep, tmp_path, capsys, words, fragment):
    assert node_report([str(sweep / "s"), *words, "--output", str(tmp_path / "r")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("node-report: ")
    assert fragment in line
    assert not (tmp_path / "r").exists()


def test_a_folder_without_runs_is_told(tmp_path, capsys):
    assert node_report([str(tmp_path)]) == 2
    assert "no runs in there" in capsys.readouterr().err
    assert node_report([str(tmp_path / "nowhere")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.browser
def test_tensorboard_shows_the_sweep(sweep):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    address = f"http://localhost:{port}/"
    board = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", "s", "--port", str(port)],
        cwd=sweep,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "NO_PROXY": "localhost"},
    )
    try:
        _until_it_answers(address, board)
        with chromium_page(1500, 1000) as (page, _):
            page.set_default_timeout(60_000)
            page.goto(f"{address}#timeseries")
            page.get_by_text("0_rtol=0.1,seed=0").first.wait_for()
            page.get_by_text("accuracy/test").first.wait_for()
            page.goto(f"{address}#custom_scalars")
            page.reload()
            page.get_by_text("NFE, memory and loss").first.wait_for()
            page.get_by_text("bytes kept for the backward pass").first.wait_for()
            page.goto(f"{address}#hparams")
            page.reload()
            page.get_by_text("tolerance.rtol").first.wait_for()
            page.goto(f"{address}#images")
            page.reload()
            # Two epochs, two pictures: the slider has a second step.
            page.get_by_text("accuracy_per_epoch").first.wait_for()
            page.locator("tf-image-loader #steps").first.wait_for()
            assert page.locator("tf-image-loader #steps").first.evaluate("s => s.max") == 1
    finally:
        board.terminate()
        board.wait(timeout=30)


def _until_it_answers(address, process):
    for _ in range(300):
        assert process.poll() is None
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("TensorBoard does not answer")
