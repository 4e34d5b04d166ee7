"""What half precision leaves of an error tolerance."""

from __future__ import annotations

from node_cli.methods import METHODS
from node_cli.schema.run import RunConfig

# The distance from 1 to the next number, halved: the relative error of rounding.
_ROUNDING = {"bf16": 2.0**-9, "fp16": 2.0**-12}


def about_precision(config: RunConfig) -> list[str]:
    """A sentence where the solver is asked for less error than the field is computed with.

    Under autocast the products in a field are rounded to half precision, each by itself. An
    adaptive solver then takes the rounding for an error of its step, and makes the steps smaller
    for nothing.
    """
    precision = config.trainer.precision
    if precision not in _ROUNDING or not config.model.solves_an_ode:
        return []
    rounding, rtol = _ROUNDING[precision], config.tolerance.rtol
    if METHODS[config.solver.name].kind == "fixed" or rtol >= rounding:
        return []
    return [
        f"trainer.precision={precision} rounds to {rounding:.0e} of a number, and"
        f" tolerance.rtol={rtol:g} asks for less: the solver cannot reach it, and takes more steps"
        f" than it needs. Use trainer.precision=fp32, or tolerance.rtol={_round_up(rounding):g} or"
        " more."
    ]


def _round_up(number: float) -> float:
    return next(bound for bound in (1e-3, 1e-2, 1e-1) if bound >= number)
