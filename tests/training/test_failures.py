"""Runs that end for want of memory or of steps, and what they say."""

import json
from contextlib import suppress

import pytest
import torch

from node_cli.cli import node_train
from node_cli.errors import DivergenceError, SolverError
from node_cli.methods import METHODS
from node_cli.solving.failures import MemoryShortageError
from node_cli.tasks.densities.cnf_2d import Cnf2d
from node_cli.training.failures import possible_modes, told_in_training
from node_cli.training.interruption import StopRequest
from node_cli.training.run import run

SMALL = (
    "task=cnf-2d",
    "data.batch_size=32",
    "data.validation=50",
    "data.test=50",
    "data.eval_batch_size=50",
    "trainer.max_steps=2",
    "trainer.log_every=1",
    "trainer.figures=false",
    "trainer.threads=1",
    "trainer.progress=off",
)
LIMITED = ("solver.max_saved_bytes=1000000",)


@pytest.fixture
def outcome(config_of, tmp_path):
    """The cause of a run's failure, as its summary has it; None where it finished."""

    def outcome(*words):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        with suppress(SolverError, DivergenceError):
            run(config_of(*SMALL, *words), folder, StopRequest(), lambda: None)
        return json.loads((folder / "summary.json").read_text()).get("cause")

    return outcome


SOLVERS = {
    "adaptive": ("solver=dopri5",),
    "adams": ("solver=adams",),
    "fixed": ("solver=rk4", "solver.step_size=0.02"),
    "torchdiffeq": ("solver=dopri5", "backend=torchdiffeq"),
}


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_a_learning_rate_far_too_large_ends_with_its_cause(outcome, solver):
    text = outcome(*solver, *LIMITED, "optimizer.lr=100")
    assert "bytes are kept for the backward pass, more than solver.max_saved_bytes" in text
    assert "a smaller optimizer.lr (now 100); a smaller data.batch_size (now 32)" in text


def test_each_way_out_is_one(outcome):
    tight = ("trainer.max_steps=1", "solver.max_saved_bytes=150000")
    text = outcome(*tight)
    for word in ("adjoint=checkpointed", "adjoint=full"):
        assert word in text
        assert outcome(*tight, word) is None
    assert "a smaller data.batch_size (now 32)" in text
    assert outcome(*tight, "data.batch_size=2") is None
    assert outcome(*LIMITED, "optimizer.lr=1e-3") is None


def test_rk_net_has_no_other_mode(outcome, config_of):
    words = ("task=mnist-odenet", "model=rk-net", "model.channels=4", "data.batch_size=16")
    config = config_of(*words)
    assert possible_modes(config) == ["direct"]
    with pytest.raises(MemoryShortageError) as caught, told_in_training(config):
        raise MemoryError
    assert "adjoint" not in str(caught.value)
    assert "data.batch_size (now 16)" in str(caught.value)


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if not method.needs])
def test_possible_modes_are_those_of_the_solver(config_of, name):
    kind = METHODS[name].kind
    extra = ("adjoint=full",) if kind == "scipy" else ()
    modes = possible_modes(config_of(*SMALL, f"solver={name}", *extra))
    runge_kutta = kind != "scipy" and "adams" not in name
    wanted = {"full", "seminorm"} | ({"direct"} if kind != "scipy" else set())
    assert set(modes) == wanted | ({"checkpointed"} if runge_kutta else set())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    ],
    ids=["python", "cuda", "cpu"],
)
def test_memory_that_runs_out_outside_of_a_solve_is_told_in_the_same_words(config_of, error):
    with pytest.raises(MemoryShortageError) as caught, told_in_training(config_of(*SMALL)):
        raise error
    assert str(caught.value).startswith("there is not enough memory")
    assert "adjoint=checkpointed or adjoint=full, which need far less memory" in str(caught.value)
    with (
        pytest.raises(MemoryShortageError) as caught,
        told_in_training(config_of(*SMALL), study=True),
    ):
        raise error
    assert "adjoint" not in str(caught.value)


def test_a_loss_without_memory_ends_the_run(outcome, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "backward", lambda *_a, **_k: torch.empty(10**14))
    text = outcome()
    assert text.startswith("there is not enough memory for 400000000000000 bytes more. Ways out:")


@pytest.mark.parametrize("steps", [0, 1])
def test_an_infinite_loss_is_blamed_on_training_only_if_there_was_some(outcome, monkeypatch, steps):
    losses = iter([*([1.0] * steps), float("inf")])
    loss = Cnf2d.loss

    def infinite(self, model, batch):
        value, metrics = loss(self, model, batch)
        return value * next(losses), metrics

    monkeypatch.setattr(Cnf2d, "loss", infinite)
    text = outcome()
    if steps == 0:
        assert text.startswith("the loss is inf before the first step, so that it is not")
        assert "optimizer.lr" not in text
    else:
        assert text.startswith("the loss is inf at step 2: training diverged. Try a smaller")


def test_another_error_stays_as_it_is(config_of):
    with pytest.raises(RuntimeError, match="a mistake"), told_in_training(config_of(*SMALL)):
        raise RuntimeError("a mistake")


def test_too_many_steps_name_the_learning_rate_first(outcome):
    text = outcome("optimizer.lr=100", "adjoint=full", "solver.max_steps=60")
    assert "solver.max_steps=60 allows. Likely causes, in this order: a learning rate" in text
    assert "(optimizer.lr=100), a stiff field, a tolerance below the precision of float32" in text


def test_a_cell_without_memory_is_recorded_and_the_next_one_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    node_train(
        ["-m", *SMALL, *LIMITED, "optimizer.lr=100,0.001", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    )
    summaries = [
        json.loads((folder / "summary.json").read_text())
        for folder in sorted((tmp_path / "sweep").glob("[01]_*"))
    ]
    assert [summary["status"] for summary in summaries] == ["failed", "finished"]
    assert "are kept for the backward pass" in summaries[0]["cause"]
    assert "are kept for the backward pass" in capsys.readouterr().err
