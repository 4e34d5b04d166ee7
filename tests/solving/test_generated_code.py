"""Steps whose code is generated and compiled: the same numbers, and found again later."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn

from node_cli.solving import SolveSpec, bound_graphs, compilation, compiled_runge_kutta, solve

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("generated")]

TIMES = torch.tensor([0.0, 0.2, 1.0], dtype=torch.float64)


class Wide(nn.Module):
    """Of many points in the plane, whose products become sums and whose loops are turned."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 9), nn.Tanh(), nn.Linear(9, 2)).double()

    def forward(self, t, y):
        return self.layers(torch.cat([y, t.expand(len(y), 1)], dim=1))


@pytest.mark.parametrize("mode", ["direct", "full"])
def test_generated_code(mode, told):
    field, spec = Wide(), SolveSpec(method="bosh3", adjoint=mode)
    generator = torch.Generator().manual_seed(1)
    found = []
    for how in ("off", "step"):
        y0 = torch.randn(40, 2, dtype=torch.float64, generator=generator.manual_seed(1))
        y0.requires_grad_()
        # Not only the last output has a gradient, and none of them lies as the states do.
        values = solve(field, y0, TIMES, replace(spec, compile=how)).values
        loss = values.transpose(0, 1).contiguous().square().sum()
        found.append((values, *torch.autograd.grad(loss, (y0, *field.parameters()))))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)
    assert told == []
    assert (compilation.cache_folder() / "compiled").is_dir()


def test_what_was_compiled_once_is_found_again(monkeypatch, told):
    """As in another process: nothing of it is left in this one but the folder."""
    from torch._dynamo.utils import counters

    field, spec = Wide(), SolveSpec(method="bosh3", adjoint="direct", compile="step")
    before = dict(counters["inductor"])

    def compiled_anew():
        torch._dynamo.reset()
        compiled_runge_kutta._compiled.cache_clear()
        monkeypatch.setattr(bound_graphs, "_last", {})
        y0 = torch.ones(40, 2, dtype=torch.float64, requires_grad=True)
        solve(field, y0, TIMES, spec).values.sum().backward()
        return Counter(counters["inductor"]) - Counter(before)

    first, second = compiled_anew(), compiled_anew()
    graphs = first["fxgraph_cache_hit"] + first["fxgraph_cache_miss"]
    assert graphs > 0
    assert first["fxgraph_cache_bypass"] == second["fxgraph_cache_bypass"] == 0
    assert second["fxgraph_cache_hit"] == first["fxgraph_cache_hit"] + graphs
    assert told == []
