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
SERIES = "data=csv data.path=series.csv data.batch_size=4 data.eval_batch_size=2"
RUNS = {
    "latent": f"task=latent-series {SERIES} data.mode=extrapolation",
    "rnn": f"task=latent-series model=ode-rnn {SERIES} data.mode=interpolation model.hidden=5",
    "spirals": "task=latent-spirals data.series=12 data.validation=4 data.test=5 data.points=30"
    " data.batch_size=6 data.eval_batch_size=3",
    "trajectories": f"task=dynamics {SERIES} model.hidden=[8] model.time=true",
    "pendulum": "task=dynamics data=pendulum model=hamiltonian model.hidden=[8] data.test=4"
    " data.trajectories=8 data.validation=4 data.eval_batch_size=3 data.batch_size=8",
    "latent-sde": f"task=latent-sde {SERIES} data.mode=interpolation model.hidden=8"
    " model.context=3 model.eval_samples=7",
    "segments": "task=latent-sde data.steps=4 data.noise=0.1 model.hidden=8 model.samples=4"
    " model.eval_samples=9 solver.step_size=0.1",
    "lorenz": "task=latent-sde data=stochastic-lorenz data.series=6 data.validation=2 data.test=5"
    " data.points=10 data.span=0.3 data.forward=3 data.batch_size=4 data.eval_batch_size=3"
    " model.context=3 model.hidden=8 model.eval_samples=6",
    "paths": f"task=dynamics model=sde {SERIES} model.hidden=[4] model.time=true",
    "double-well": "task=dynamics model=sde data=double-well data.points=11 data.trajectories=20"
    " data.validation=4 data.test=7 data.batch_size=50 data.eval_batch_size=3 model.hidden=[4]",
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
    write_table(folder / "series.csv", series())
    words = [*words.split(" "), *COMMON, "hydra.run.dir=run"]
    done = run_here(node_train, words, folder, **environment)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def series():
    """Twenty circles with an offset, at times of their own far from 0."""
    stream = np.random.default_rng(1)
    columns = {name: [] for name in ("id", "time", "up", "right")}
    for number in range(20):
        times = 100 + np.sort(stream.uniform(0, 4, stream.integers(6, 12))).round(4)
        turned = times + stream.uniform(0, 6)
        columns["id"] += [f"circle {number}"] * len(times)
        columns["time"] += times.tolist()
        columns["up"] += (50 + 3 * np.sin(turned)).round(6).tolist()
        columns["right"] += (2 * np.cos(turned)).round(6).tolist()
    return columns


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
