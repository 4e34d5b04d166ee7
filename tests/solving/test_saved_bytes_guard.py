"""A solve ends before what it keeps has taken all the memory."""

import gc
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from solving.problems import Network

from node_cli.memory import SavedBytes
from node_cli.solving import SolveSpec, record_solves, saved_bytes_guard, solve
from node_cli.solving.failures import MemoryShortageError

TIMES = torch.tensor([0.0, 1.0], dtype=torch.float64)
SPECS = [
    SolveSpec(rtol=1e-8, atol=1e-8),
    SolveSpec(method="adams", rtol=1e-8, atol=1e-8),
    SolveSpec(method="rk4", num_steps=40),
    SolveSpec(method="explicit_adams", num_steps=40),
    SolveSpec(method="implicit_adams", num_steps=40),
    SolveSpec(rtol=1e-8, atol=1e-8, backend="torchdiffeq"),
    SolveSpec(method="rk4", num_steps=40, backend="torchdiffeq"),
    SolveSpec(method="explicit_adams", num_steps=40, backend="torchdiffeq"),
]
each_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.backend}-{s.method}")


def start():
    return torch.linspace(-1, 1, 64, dtype=torch.float64).reshape(32, 2).requires_grad_()


def kept_by(spec):
    field = Network()
    with SavedBytes(field).measure() as saved:
        solution = solve(field, start(), TIMES, spec)
        kept = saved.bytes_now()
    solution.values.sum().backward()
    return kept


def ended(spec, field=None):
    with pytest.raises(MemoryShortageError) as caught:
        solve(field or Network(), start(), TIMES, spec)
    return str(caught.value)


@each_spec
def test_the_limit_of_bytes_is_exact(spec):
    kept = kept_by(spec)
    # A step that is tried keeps a little more for a moment.
    roomy = replace(spec, max_saved_bytes=2 * kept)
    assert kept_by(roomy) == kept
    text = ended(replace(spec, max_saved_bytes=kept - 1))
    assert f"more than solver.max_saved_bytes={kept - 1} allows" in text


@each_spec
def test_each_mode_that_is_named_is_a_way_out(spec):
    tight = replace(spec, max_saved_bytes=kept_by(spec) // 2)
    text = ended(tight)
    found = re.match(
        rf"{spec.method} stopped at t = 0\.\d+ after [\d,]+ steps and [\d,]+ evaluations: ", text
    )
    assert found, text
    modes = re.findall(r"adjoint=(\w+)", text)
    assert "full" in modes
    assert ("checkpointed" in modes) == (
        spec.backend == "native" and spec.method in ("dopri5", "rk4")
    )
    for mode in modes:
        kept_by(replace(tight, adjoint=mode))


@each_spec
def test_nothing_is_kept_after_the_error(spec):
    field = Network()
    with SavedBytes(field).measure() as saved:
        told = False
        try:
            solve(field, start(), TIMES, replace(spec, max_saved_bytes=kept_by(spec) // 2))
        except MemoryShortageError:
            told = True
        assert told
        if spec.backend == "torchdiffeq":  # its solvers hold themselves
            gc.collect()
        assert saved.bytes_now() == 0


def test_the_states_of_a_checkpointed_solve_are_seen_while_they_gather():
    spec = SolveSpec(method="euler", num_steps=100, adjoint="checkpointed")
    kept = kept_by(spec)
    with record_solves() as solves:
        text = ended(replace(spec, max_saved_bytes=kept // 2))
    assert 40 < solves[0].steps_accepted < 60
    assert "adjoint=full," in text
    assert "adjoint=checkpointed" not in text


def test_the_limit_counts_the_outputs_of_an_adjoint_at_the_end():
    spec = SolveSpec(adjoint="full", max_saved_bytes=kept_by(SolveSpec(adjoint="full")) - 1)
    text = ended(spec)
    assert "adjoint=" not in text
    assert "a smaller batch" in text


def test_a_limit_changes_no_gradient():
    gradients = []
    for limit in (None, 10**9):
        field = Network()
        solve(field, start(), TIMES, SolveSpec(max_saved_bytes=limit)).values.sum().backward()
        gradients.append([p.grad for p in field.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.fixture
def little_memory(monkeypatch):
    """A machine with 100 MB, of which each evaluation takes 3 MB; lists where it was asked."""
    asked = []

    def used(_device):
        (nfe,) = [solve.nfe_forward for solve in running] or [0]
        asked.append(nfe)
        return 3 * nfe * 10**6

    monkeypatch.setattr(saved_bytes_guard, "NOTED", 10**6)
    monkeypatch.setattr(saved_bytes_guard, "used_bytes", used)
    monkeypatch.setattr(saved_bytes_guard, "free_bytes", lambda device: 10**8 - used(device))
    with record_solves() as running:
        yield asked


@each_spec
def test_a_solve_takes_no_more_than_half_of_what_is_free(spec, little_memory):
    text = ended(spec)
    assert "more than 50% of the 95.4 MiB that were free" in text
    # It is asked often enough to be told in time, and no more often than each few evaluations.
    assert 50 < 3 * little_memory[-1] <= 60
    assert len(little_memory) <= 8


@pytest.mark.parametrize("mode", ["checkpointed", "full"])
def test_other_modes_are_watched_too(mode, little_memory):
    assert "more than 50%" in ended(SolveSpec(rtol=1e-8, atol=1e-8, adjoint=mode))


def test_only_what_is_kept_is_watched(little_memory):
    with torch.no_grad():
        solve(Network(), start(), TIMES, SPECS[0])
    assert not little_memory


def test_where_the_system_tells_nothing_there_is_no_guard(monkeypatch):
    monkeypatch.setattr(saved_bytes_guard, "used_bytes", lambda _: None)
    solve(Network(), start(), TIMES, SPECS[0]).values.sum().backward()
    growing = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(saved_bytes_guard, "used_bytes", lambda _: next(growing))
    monkeypatch.setattr(saved_bytes_guard, "free_bytes", lambda _: None)
    solve(Network(), start(), TIMES, SPECS[0]).values.sum().backward()


class Greedy(torch.nn.Module):
    """Wants memory that no machine has, from some time on."""

    def __init__(self, fail):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.fail = fail

    def forward(self, t, y):
        if t > 0.5:
            self.fail()
        return -self.scale * y


def raises(error):
    def fail():
        raise error

    return fail


@pytest.mark.parametrize(
    ("fail", "wanted"),
    [
        (lambda: torch.empty(10**14), " for 400000000000000 bytes more"),
        (lambda: np.empty(10**15), ""),
        (
            raises(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU")),
            " for 20.00 GiB more",
        ),
        (raises(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling")), ""),
    ],
    ids=["torch", "numpy", "cuda", "cublas"],
)
@pytest.mark.parametrize("spec", [SPECS[0], SPECS[2], SPECS[5]], ids=["dopri5", "rk4", "backend"])
def test_an_allocation_that_fails_is_told_in_the_same_words(spec, fail, wanted):
    text = ended(spec, Greedy(fail))
    assert re.match(
        rf"{spec.method} stopped at t = 0\.[56789]\d* after [\d,]+ steps and [\d,]+ evaluations:"
        rf" there is not enough memory{wanted}",
        text,
    )
    assert "adjoint=full" in text
    with torch.no_grad():
        text = ended(spec, Greedy(fail))
    assert "adjoint" not in text
    assert "Ways out: a smaller batch." in text


def test_another_error_of_the_field_goes_through():
    with pytest.raises(RuntimeError, match="a mistake"):
        solve(Greedy(raises(RuntimeError("a mistake"))), start(), TIMES, SPECS[0])


REAL = """
import resource, sys, torch
from node_cli.solving import SolveSpec, solve
from node_cli.solving.failures import MemoryShortageError

class Field(torch.nn.Module):
    def forward(self, t, y):
        return torch.sin(y) * torch.cos(y)

torch.set_num_threads(1)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 800 * 2**20,) * 2)
y0 = torch.ones(500_000, requires_grad=True)
spec = SolveSpec(method="euler", num_steps=10**6)
for _ in range(2):  # what the first one kept is free for the second
    try:
        solve(Field(), y0, torch.tensor([0.0, 1.0]), spec)
    except MemoryShortageError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
def test_a_real_limit_of_the_process_is_not_reached():
    done = subprocess.run([sys.executable, "-c", REAL], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 2
    for line in told:
        assert re.search(r"\d MiB are kept for the backward pass, more than 50% of the", line), line
