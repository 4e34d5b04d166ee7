import pytest
import torch
from torch import nn

from node_cli.memory import (
    SavedBytes,
    forget_device_peak,
    peak_device_bytes,
    peak_of,
    peak_resident_bytes,
)
from node_cli.solving import SolveSpec, solve

FLOAT = 4


def test_saved_bytes_of_a_chain_of_exponentials_are_those_of_the_outputs():
    x = torch.zeros(1000, requires_grad=True)
    saved = SavedBytes(nn.Identity())
    with saved.measure():
        y = x
        for _ in range(5):
            y = y.exp()  # keeps its output, and nothing else
        assert saved.bytes_now() == 5 * 1000 * FLOAT
        y.sum().backward()
    assert torch.equal(x.grad, x.grad.clamp(min=1e-3))


def test_a_storage_that_two_operations_keep_counts_once():
    x = torch.ones(100, requires_grad=True)
    saved = SavedBytes(nn.Identity())
    with saved.measure():
        y = x * 2  # keeps nothing: the other factor is a number
        z = y.sin() + y.cos() + y[:50].pow(2).sum()  # all keep y
        assert saved.bytes_now() == 100 * FLOAT
    z.sum().backward()


def test_parameters_and_buffers_do_not_count():
    layer = nn.Linear(30, 20, bias=False)
    x = torch.randn(7, 30)
    saved = SavedBytes(layer)
    with saved.measure():
        layer(x)
        out = layer(x)
        assert saved.bytes_now() == x.numel() * FLOAT
    out.sum().backward()


def test_what_is_no_longer_needed_is_no_longer_counted():
    x = torch.ones(100, requires_grad=True)
    saved = SavedBytes(nn.Identity())
    with saved.measure():
        thrown_away = x.exp()
        kept = x.exp()
        assert saved.bytes_now() == 2 * 100 * FLOAT
        del thrown_away
        assert saved.bytes_now() == 100 * FLOAT
    kept.sum().backward()


def test_what_is_counted_inside_counts_outside_too():
    x = torch.ones(100, requires_grad=True)
    outer, inner = SavedBytes(None), SavedBytes(None)
    with outer.measure():
        first = x.exp()
        with inner.measure():
            second = x.exp()
        third = first + second.exp()
        assert inner.bytes_now() == 100 * FLOAT
        assert outer.bytes_now() == 3 * 100 * FLOAT
    third.sum().backward()
    assert inner.bytes_now() == outer.bytes_now() == 0


def test_others_that_live_anyway_do_not_count():
    x = torch.ones(100, requires_grad=True)
    with SavedBytes(None, [x]).measure() as saved:
        y = x.sin()
        assert saved.bytes_now() == 0
    y.sum().backward()


def test_watching_does_not_change_gradients():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.randn(5, 4)
    net(x).sum().backward()
    plain = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    with SavedBytes(net).measure():
        out = net(x).sum()
    out.backward()
    assert all(torch.equal(a, p.grad) for a, p in zip(plain, net.parameters(), strict=True))


def kept_by_a_solve(adjoint, steps):
    field = nn.Sequential(nn.Linear(16, 16), nn.Tanh())
    module = nn.ModuleList([field])

    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = field

        def forward(self, t, y):
            return self.net(y)

    y0 = torch.randn(32, 16, requires_grad=True)
    saved = SavedBytes(module)
    spec = SolveSpec(method="rk4", num_steps=steps, adjoint=adjoint)
    with saved.measure():
        solution = solve(Field(), y0, torch.tensor([0.0, 1.0]), spec)
        kept = saved.bytes_now()
    solution.values[-1].sum().backward()
    return kept


def test_direct_keeps_memory_in_proportion_to_the_steps_and_the_adjoint_does_not():
    direct = [kept_by_a_solve("direct", steps) for steps in (4, 8, 16)]
    adjoint = [kept_by_a_solve("full", steps) for steps in (4, 8, 16)]
    assert direct[2] - direct[1] == 2 * (direct[1] - direct[0]) > 0
    assert adjoint[0] == adjoint[1] == adjoint[2] < direct[0]


def test_the_peaks_of_process_and_device():
    before = peak_resident_bytes()
    block = torch.ones(30_000_000)
    assert peak_resident_bytes() >= before
    assert peak_resident_bytes() >= block.numel() * FLOAT
    assert peak_device_bytes(torch.device("cpu")) is None


def test_the_peak_of_a_run_survives_a_measurement_and_is_not_that_of_the_next_run(monkeypatch):
    device, used = torch.device("cuda"), {"now": 100, "peak": 700}
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: used["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: used["peak"])
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda _: used.update(peak=used["now"])
    )
    with peak_of(device) as peak:
        used["peak"] = 130
    assert peak.bytes == 30
    assert peak_device_bytes(device) == 700
    forget_device_peak(device)
    assert peak_device_bytes(device) == 100


@pytest.mark.cuda
def test_the_peak_of_a_device_survives_a_measurement_and_ends_with_the_run():
    device = torch.device("cuda")
    forget_device_peak(device)
    before = peak_device_bytes(device)
    block = torch.ones(1_000_000, device=device)
    size = block.nbytes
    del block
    with peak_of(device) as peak:
        torch.ones(1_000, device=device)
    assert 4_000 <= peak.bytes < size
    assert peak_device_bytes(device) >= before + size
    forget_device_peak(device)
    assert peak_device_bytes(device) < before + size
