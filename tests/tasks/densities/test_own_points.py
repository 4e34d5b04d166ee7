"""Points of the user's own that a flow is asked about."""

import math
from types import SimpleNamespace

import torch
from torch import nn

from node_cli.errors import SolverError
from node_cli.tasks.densities.own_points import FARTHEST, log_densities


class Flow(nn.Module):
    """One whose solver cannot follow negative points."""

    def __init__(self):
        super().__init__()
        self.shift, self.scale = torch.zeros(2), torch.ones(2)
        self.calls = 0

    def forward(self, points):
        self.calls += 1
        if bool((points < 0).any()):
            raise SolverError("it runs away")
        return SimpleNamespace(log_density=points.sum(dim=1).float())


def test_a_row_that_cannot_be_solved_takes_no_score_from_others():
    points = torch.arange(24.0, dtype=torch.float64).reshape(12, 2)
    points[5] = -1.0
    points[9] = 2 * FARTHEST
    points[10] = -2 * FARTHEST
    found = log_densities(Flow(), points)
    assert math.isnan(found[5])
    assert found[9] == found[10] == -math.inf
    others = [0, 1, 2, 3, 4, 6, 7, 8, 11]
    assert found[others].tolist() == points[others].sum(dim=1).tolist()


def test_rows_that_can_be_solved_are_solved_together():
    flow = Flow()
    assert log_densities(flow, torch.ones(100, 2, dtype=torch.float64)).tolist() == [2.0] * 100
    assert flow.calls == 1
    assert log_densities(flow, torch.full((3, 2), 2 * FARTHEST)).tolist() == [-math.inf] * 3
