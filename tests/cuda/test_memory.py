"""Memory of a GPU: what is told of it, and what is said when it does not suffice."""

import gc
import json
import re

import pytest
import torch
from cuda.small_runs import logged, words_of

from node_cli.free_memory import used_bytes
from node_cli.solving import SolveSpec, saved_bytes_guard, solve
from node_cli.solving.failures import MemoryShortageError

pytestmark = pytest.mark.cuda

MiB = 2**20


@pytest.fixture
def little_memory():
    """This process may have 400 MiB of the GPU."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(400 * MiB / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("task=mnist-odenet data.batch_size=5000 data.validation=500", ""),
        ("task=cnf-2d data.batch_size=300000", r"dopri5 stopped at t = [\d.e-]+ after \d+ steps"),
    ],
)
def test_a_run_that_needs_more_says_so_in_a_sentence(
    node_train, tmp_path, little_memory, words, where
):
    short = ("trainer.max_steps=1", "trainer.figures=false", "hydra.run.dir=run")
    done = node_train(*words.split(), *short, "trainer.device=cuda")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.search(rf"{where}.*there is not enough memory for [\d.]+ [KMG]iB more", line), line
    assert "Ways out: " in line
    assert "a smaller data.batch_size" in line
    cause = json.loads((tmp_path / "run" / "summary.json").read_text())["cause"]
    assert cause in line


def grow(t, y):
    return torch.sin(y) * torch.cos(y)


def test_a_solve_that_runs_out_of_memory_says_so(little_memory):
    y0 = torch.ones(2_000_000, device="cuda", requires_grad=True)
    spec = SolveSpec(method="euler", num_steps=10**6)
    before = used_bytes(y0.device)
    with pytest.raises(MemoryShortageError) as caught:
        solve(grow, y0, torch.tensor([0.0, 1.0]), spec)
    told = r"there is not enough memory for [\d.]+ MiB more, with [\d.]+ MiB kept for the backward"
    assert re.search(told, str(caught.value))
    assert "adjoint=checkpointed or adjoint=full" in str(caught.value)
    del caught
    gc.collect()
    assert used_bytes(y0.device) < before + 50 * MiB  # what was kept is free again


def test_a_solve_takes_no_more_than_a_share_of_what_is_free(monkeypatch):
    monkeypatch.setattr(saved_bytes_guard, "SHARE", 0.01)
    y0 = torch.ones(2_000_000, device="cuda", requires_grad=True)
    spec = SolveSpec(method="euler", num_steps=10**6)
    with pytest.raises(MemoryShortageError) as caught:
        solve(grow, y0, torch.tensor([0.0, 1.0]), spec)
    assert re.search(
        r"[\d.]+ [MG]iB are kept for the backward pass, more than 1% of the [\d.]+ GiB that were"
        r" free",
        str(caught.value),
    )


def test_the_peak_is_logged_and_told(run_on):
    words = ("data.batch_size=256", "model.channels=16", "trainer.max_steps=3")
    folder = run_on("cuda", *words_of("mnist-odenet"), *words)
    peaks, kept = logged(folder, "memory/device_peak_bytes"), logged(folder, "memory/saved_bytes")
    assert len(peaks) == 3
    assert peaks == sorted(peaks)
    assert all(k < peak < 20 * k for k, peak in zip(kept, peaks, strict=True))
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["memory"]["device_peak_bytes"] >= peaks[-1]
    assert summary["device"] == torch.cuda.get_device_name()


def test_each_cell_of_a_sweep_has_a_peak_of_its_own(node_train, tmp_path):
    words = [word for word in words_of("mnist-odenet") if "batch_size=32" not in word]
    done = node_train(
        "-m", *words, "data.batch_size=512,16", "trainer.device=cuda", "hydra.sweep.dir=sweep"
    )
    assert done.returncode == 0, done.stderr
    first, second = (
        logged(folder, "memory/device_peak_bytes")[0]
        for folder in sorted((tmp_path / "sweep").glob("[01]_*"))
    )
    assert first > 2 * second
