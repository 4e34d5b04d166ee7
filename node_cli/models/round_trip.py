"""Whether a model's flow is really solved: solved forwards and then back, it must return."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from node_cli.errors import SolverError
from node_cli.models.ode_solve import OdeSolve, solving_modules
from node_cli.solving.state import State

_SIGNATURE = inspect.signature(OdeSolve.forward)


@contextmanager
def round_trips(model: nn.Module) -> Iterator[list[float]]:
    r"""Inside the ``with`` block, each solve of the model is solved back too, in the same way.

    The way back goes from the state at the last time to the first one, with the same solver,
    tolerances and output times. No two trajectories of an ODE meet, so that it leads to the start;
    trajectories that meet by errors of the solver alone do not part again on the way back.

    Yields:
        The error of each solve so far: with y the start and z the return,
        :math:`\|z - y\|_2 / \|y\|_2` over all values of the batch. Of a tuple it is the largest
        among its parts. A part that starts at 0, such as an integral, is compared with its end. A
        way back that cannot be solved has the error infinity.
    """
    errors: list[float] = []

    def go_back(
        module: OdeSolve, args: tuple[Any, ...], kwargs: Mapping[str, Any], values: State
    ) -> None:
        problem = _SIGNATURE.bind(module, *args, **kwargs)
        start, times = problem.arguments["y0"], problem.arguments["times"]
        if len(times) > 1:
            end = _at(values, -1)
            backwards = times.flip(0) if isinstance(times, Tensor) else times[::-1]
            problem.arguments |= {"y0": end, "times": backwards}
            try:
                returned = _at(OdeSolve.forward(*problem.args, **problem.kwargs), -1)
            except SolverError:
                errors.append(math.inf)
            else:
                errors.append(_distance(returned, start, end))

    hooks = [
        module.register_forward_hook(go_back, with_kwargs=True) for module in solving_modules(model)
    ]
    try:
        yield errors
    finally:
        for hook in hooks:
            hook.remove()


def _at(values: State, place: int) -> State:
    """The state at one of the output times."""
    if isinstance(values, Tensor):
        return values[place]
    return tuple(part[place] for part in values)


def _distance(returned: State, start: State, end: State) -> float:
    """The relative distance of the return from the start, the largest among the parts."""
    parts = ((state,) if isinstance(state, Tensor) else state for state in (returned, start, end))
    return max(_of_a_part(*part) for part in zip(*parts, strict=True))


def _of_a_part(returned: Tensor, start: Tensor, end: Tensor) -> float:
    distance = float((returned.double() - start.double()).norm())
    size = float(start.double().norm()) or float(end.double().norm())
    return distance / size if size else distance
