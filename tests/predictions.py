"""Small trained runs whose test predictions are kept, and what their files hold."""

import csv
import json

import numpy as np
from commands import run_here

from node_cli.cli import node_train

COMMON = (
    "trainer.max_steps=4",
    "trainer.threads=1",
    "trainer.figures=false",
    "trainer.device=cpu",
    "trainer.keep_predictions=true",
)
RUNS = {
    "images": "model.channels=4 data.batch_size=16 solver=euler solver.step_size=0.5",
    "concentric": "task=concentric data.points=60 data.validation=30 data.test=30"
    " data.batch_size=20 data.eval_batch_size=12 model.hidden=[6]",
    "ball": "task=bouncing-ball data.test=40 data.eval_batch_size=15",
    "table": "task=cnf-tabular data.path=table.csv data.batch_size=16 data.eval_batch_size=8"
    " model.hidden=[4] solver=rk4 solver.num_steps=2",
    "plane": "task=cnf-2d data.batch_size=16 data.batches=2 data.validation=20 data.test=20"
    " data.eval_batch_size=8 model=concat model.hidden=[4] solver=rk4 solver.num_steps=2",
}


def trained(folder, words, **environment):
    """Train in ``folder``; the run is in ``folder/run``."""
    numbers = np.random.default_rng(0).normal(size=(80, 2)).round(3)
    write_table(folder / "table.csv", dict(zip(("a", "b"), numbers.T.tolist(), strict=True)))
    words = [*words.split(" "), *COMMON, "hydra.run.dir=run"]
    done = run_here(node_train, words, folder, **environment)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def final(run):
    return json.loads((run / "summary.json").read_text())["final"]


def table(path):
    """The columns of a CSV file by name: numbers where all of a column are, or texts."""
    with path.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    columns = {}
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        try:
            columns[name] = np.array(list(map(float, cells)))
        except ValueError:
            columns[name] = np.array(cells)
    return columns


def write_table(path, columns):
    """Columns as a CSV file; numbers with all of their digits, what is missing empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow("" if value != value else value for value in row)
