"""The works solved by torchdyn."""

from __future__ import annotations

import importlib.metadata
from functools import partial
from typing import Any

import torch_works
from torch import Tensor
from torchdyn.core import ODEProblem
from torchdyn.numerics import odeint

VERSION = importlib.metadata.version("torchdyn")


def solve(field: Any, y0: Tensor, t: Tensor, settings: dict[str, Any]) -> Tensor:
    """By dopri5; with the adjoint where that is asked for."""
    tolerances = {"rtol": settings["rtol"], "atol": settings["atol"]}
    if settings["adjoint"] == "direct":
        return odeint(field, y0, t, "dopri5", **tolerances)[1]
    problem = ODEProblem(
        field,
        "dopri5",
        sensitivity="adjoint",
        atol_adjoint=settings["atol"],
        rtol_adjoint=settings["rtol"],
        **tolerances,
    )
    return problem.odeint(y0, t)[1]


WORKS = {
    "dynamics": partial(torch_works.dynamics, solve),
    "solve": partial(torch_works.plain, solve),
    "van-der-pol": partial(torch_works.van_der_pol, solve),
}
