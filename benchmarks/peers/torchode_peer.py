"""The works solved by torchode, which has steps of its own for each sample."""

from __future__ import annotations

import importlib.metadata
from functools import partial
from typing import Any

import torch_works
import torchode
from torch import Tensor

VERSION = importlib.metadata.version("torchode")


def solve(field: Any, y0: Tensor, t: Tensor, settings: dict[str, Any]) -> Tensor:
    """By dopri5 with an integral controller, as the others have."""
    term = torchode.ODETerm(field)
    method = torchode.Dopri5(term=term)
    control = torchode.IntegralController(settings["atol"], settings["rtol"], term=term)
    adjoint = torchode.AutoDiffAdjoint(method, control)
    problem = torchode.InitialValueProblem(y0=y0, t_eval=t.expand(len(y0), -1))
    return adjoint.solve(problem).ys.transpose(0, 1)


def dynamics(settings: dict[str, Any], *given: Any) -> torch_works.Step | None:
    if settings["adjoint"] != "direct":
        return None  # its backward solve is joint and goes through vmap
    return torch_works.dynamics(solve, settings, *given)


WORKS = {
    "dynamics": dynamics,
    "solve": partial(torch_works.plain, solve),
    "van-der-pol": partial(torch_works.van_der_pol, solve),
}
