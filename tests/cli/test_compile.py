"""``compile``: what it goes with, what it says, and that a run with it goes on to the bit."""

import json

import pytest
import torch

from node_cli.solving import compilation
from node_cli.training import step_compilation

TINY = (
    "task=cnf-2d",
    "model.width=4",
    "model.hidden=4",
    "solver=bosh3",
    "data.batch_size=16",
    "data.batches=4",
    "data.validation=20",
    "data.test=20",
    "schedule=constant",
    "trainer.max_epochs=1",
    "trainer.log_every=1",
    "trainer.figures=false",
    "trainer.threads=1",
)


@pytest.fixture(autouse=True)
def _traced_only(monkeypatch, tmp_path):
    monkeypatch.setattr(compilation, "BACKEND", "eager")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def weights(folder):
    model = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["model"]
    return {name: value for name, value in model.items() if isinstance(value, torch.Tensor)}


def logged(folder, tag):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row[tag] for row in map(json.loads, lines) if tag in row]


def test_a_run_is_compiled_once_and_goes_on_to_the_bit(node_train, tmp_path):
    plain = node_train(*TINY, "hydra.run.dir=plain")
    assert plain.returncode == 0, plain.stderr
    whole = node_train(*TINY, "compile=step", "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    lines = [
        line
        for line in whole.stdout.splitlines()
        if line.startswith("compiling") or " compiled in " in line
    ]
    assert lines[:-1] == [
        "compiling the start of a solve ...",
        "compiling the choice of the first step ...",
        "compiling a step ...",
        "compiling the gradient of a step ...",
        "compiling the gradient of the start ...",
    ]
    assert lines[-1].startswith("5 graphs compiled in ")
    for tag in ("nfe/forward", "nfe/backward", "solver/steps_accepted"):
        assert logged(tmp_path / "whole", tag) == logged(tmp_path / "plain", tag)
    torch.testing.assert_close(weights(tmp_path / "whole"), weights(tmp_path / "plain"))
    spent = float(lines[-1].split()[-2])
    assert max(logged(tmp_path / "whole", "time/step_seconds")) < spent
    half = node_train(*TINY, "compile=step", "hydra.run.dir=half", "trainer.max_steps=2")
    assert half.returncode == 0, half.stderr
    # A second run in one process finds its graphs.
    assert "compiled in" not in half.stdout
    rest = node_train("trainer.resume=half", "trainer.max_steps=4")
    assert rest.returncode == 0, rest.stderr
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "half")[name])


@pytest.mark.parametrize("adjoint", ["full", "seminorm", "checkpointed"])
def test_a_run_learns_the_same_with_each_adjoint(node_train, tmp_path, adjoint):
    """Each step measures what is kept, by hooks that see what autograd saves."""
    words = (*TINY, f"adjoint={adjoint}", "trainer.max_steps=3")
    for name in ("off", "step"):
        done = node_train(*words, f"compile={name}", f"hydra.run.dir={name}")
        assert done.returncode == 0, done.stderr
    assert done.stdout.count(" compiled in ") <= 1  # all of them in the first step
    for tag in ("nfe/forward", "nfe/backward", "solver/steps_accepted"):
        assert logged(tmp_path / "step", tag) == logged(tmp_path / "off", tag)
    torch.testing.assert_close(weights(tmp_path / "step"), weights(tmp_path / "off"))


@pytest.mark.parametrize("price", [0.0, 1e6])
def test_auto_compiles_where_the_rest_of_the_run_is_long_enough(
    node_train, tmp_path, monkeypatch, price
):
    monkeypatch.setattr(step_compilation, "MEASURED", 2)
    monkeypatch.setattr(step_compilation, "WARM_UP", 1)
    monkeypatch.setattr(step_compilation, "UNKNOWN", price)
    done = node_train(*TINY, "compile=auto", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("compile=auto: ")]
    assert line.endswith(": not compiled" if price else ": compiled")
    progress = torch.load(tmp_path / "run" / "checkpoints" / "last.pt", weights_only=True)
    assert progress["progress"]["compiled"] is not bool(price)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["solver=adams"], "compile=step solver=adams: steps of explicit Runge-Kutta methods"),
        (["backend=torchdiffeq"], "compile=step backend=torchdiffeq: steps of our own solvers"),
        (["model=resnet"], "compile=step model=resnet: this model solves no ODE"),
        (["task=bouncing-ball"], "compile=step model=ball: its solves end at events"),
    ],
)
def test_what_it_does_not_go_with(node_train, tmp_path, words, said):
    done = node_train("compile=step", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "outputs").exists()
