"""The one way to solve an SDE: by torchsde, interval by interval between output times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from node_cli.errors import SolverError
from node_cli.solving.failures import NotFiniteError
from node_cli.solving.grid import equal_steps, steps_between
from node_cli.solving.saved_bytes_guard import SavedBytesGuard
from node_cli.solving.sde.brownian_grid import BrownianGrid
from node_cli.solving.sde.counted_brownian import CountedBrownian
from node_cli.solving.sde.counted_sde import CountedSde
from node_cli.solving.sde.driving_path import DrivingPath
from node_cli.solving.sde.sde import Sde
from node_cli.solving.sde.spec import SdeSpec
from node_cli.solving.stats import SolveStats, announce
from node_cli.solving.told_time import at_time

# What torchsde's assertion says when an adaptive step has no error estimate.
_NO_ERROR = "nans in the error estimate"
# That are given, of one solve; they are known before it, and lie in memory.
_MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class SdeSolution:
    """A path of each state.

    Attributes:
        values: the state at each output time, ``[T, *y0.shape]``.
        path_kl: the KL divergence of the paths from the prior's, up to each output time,
            ``[T, B]``; None where it was not asked for.
        stats: what it cost; the backward counts are complete after ``backward()``.
    """

    values: Tensor
    path_kl: Tensor | None
    stats: SolveStats


def solve_sde(
    sde: Sde,
    y0: Tensor,
    t: Tensor | Sequence[float],
    spec: SdeSpec,
    path: int | BrownianGrid | DrivingPath,
    parameters: Iterable[Tensor] | None = None,
    path_kl: bool = False,
) -> SdeSolution:
    r"""Solve :math:`dy = f(t, y)\, dt + g(t, y)\, dW,\ y(t_0) = y_0` on one Brownian path.

    Steps are equal between two output times, each of which is met; torchsde alone would interpolate
    there. No global random numbers are used: the paths are a pure function of ``path``.

    Args:
        sde: drift and diffusion.
        y0: the states at ``t[0]``, ``[B, *S]``; ``[B, D]`` unless the noise is diagonal.
        t: output times, increasing, the first is the initial one. They get no gradient.
        spec: solver, steps and adjoint mode.
        path: the seed of the Brownian path, or the path itself, over steps that those of the solver
            are made of; or a given path in its place. Adaptive steps take a seed only, and their
            path depends on it and on the steps.
        parameters: tensors that ``adjoint=full`` gives gradients for; by default the parameters of
            ``sde`` where it is a module. ``direct`` gives gradients for all tensors.
        path_kl: the KL divergence from the prior is integrated along.

    Raises:
        SolverError: the state left the finite numbers, a limit was reached, or memory ran short,
            or drift or diffusion are not what the solver needs; more than ten million steps would
            be taken.
        ValueError: the times do not increase, or the SDE does not go with the solver.
    """
    times = _checked_times(t)
    _refuse_other_kind(sde, y0, spec)
    _refuse_too_many_steps(times, spec)
    if parameters is None:
        parameters = sde.parameters() if isinstance(sde, nn.Module) else ()
    known = [parameter for parameter in parameters if parameter.requires_grad]
    stats = SolveStats()
    guard = SavedBytesGuard(spec, stats, y0.device, sde, known)
    counted = CountedSde(sde, y0.shape, y0.dtype, y0.device, spec, stats, guard, path_kl)
    brownian = CountedBrownian(_brownian(path, counted, y0, times, spec), counted, spec, times)
    announce(stats)
    state = y0.flatten(1)
    if path_kl:
        state = torch.cat((state, state.new_zeros(len(state), 1)), dim=1)
    with guard.watch(), torchsde_failures(spec.method):
        states = _solved(counted, state, times, spec, brownian, known)
    counted.backward_begins()
    brownian.backward_begins()
    _refuse_not_finite(states, times, spec)
    if not path_kl:
        return SdeSolution(states.reshape(len(times), *y0.shape), None, stats)
    values = states[..., :-1].reshape(len(times), *y0.shape)
    return SdeSolution(values, states[..., -1], stats)


@contextmanager
def torchsde_failures(method: str) -> Iterator[None]:
    """Turn torchsde's assertion into a ``SolverError``; to be put around ``backward()`` too."""
    try:
        yield
    except AssertionError as failure:
        if _NO_ERROR not in str(failure):
            raise
        raise NotFiniteError(f"{method} stopped: the state is no longer finite") from failure


def _solved(
    sde: CountedSde,
    state: Tensor,
    times: Sequence[float],
    spec: SdeSpec,
    brownian: CountedBrownian,
    parameters: Sequence[Tensor],
) -> Tensor:
    """Packed states at the times, ``[T, B, D]``."""
    from torchsde import sdeint, sdeint_adjoint

    options: dict[str, Any] = {
        "bm": brownian,
        "method": spec.declared.scheme,
        "adaptive": spec.adaptive,
        "rtol": spec.rtol,
        "atol": spec.atol,
        "dt_min": 0.0,  # a smaller step would be taken whatever its error; see CountedBrownian
        "extra": True,
    }
    solve = sdeint
    if spec.adjoint == "full" and torch.is_grad_enabled():
        solve = sdeint_adjoint
        options |= {
            "adjoint_method": spec.backward_scheme(sde.noise),
            "adjoint_adaptive": spec.adaptive,
            "adjoint_rtol": spec.rtol if spec.backward_rtol is None else spec.backward_rtol,
            "adjoint_atol": spec.atol if spec.backward_atol is None else spec.backward_atol,
            "adjoint_params": tuple(parameters),
        }
    length = spec.length_of_steps(times[-1] - times[0])
    states, extra = [state], None
    for start, stop in pairwise(times):
        sde.answer_first_look()
        # On the CPU, where comparing times makes no device wait; double, so that steps add up.
        ends = torch.tensor((start, stop), dtype=torch.float64)
        step = min(length, stop - start) if spec.adaptive else _step(start, stop, length)
        solved, extra = solve(sde, states[-1], ends, dt=step, extra_solver_state=extra, **options)
        states.append(solved[-1])
    return torch.stack(states)


def _step(start: float, stop: float, length: float) -> float:
    """Such that torchsde's sums of it end after as many equal steps as there should be.

    Its last step ends where the interval does, so that the others may be longer by the rounding.
    """
    count = len(equal_steps(start, stop, length))
    return (stop - start) / count + 4 * torch.finfo(torch.float64).eps * max(abs(start), abs(stop))


def _brownian(
    path: int | BrownianGrid | DrivingPath,
    sde: CountedSde,
    y0: Tensor,
    times: Sequence[float],
    spec: SdeSpec,
) -> Any:
    """The Brownian motion of a solve."""
    areas, shape = spec.declared.levy_areas, (len(y0), sde.channels)
    if not isinstance(path, int):
        if spec.adaptive:
            raise ValueError("adaptive steps take the seed of a path, not the path itself")
        return path
    if not spec.adaptive:
        length = spec.length_of_steps(times[-1] - times[0])
        steps = [step for a, b in pairwise(times) for step in equal_steps(a, b, length)]
        points = [times[0], *(end for _, end in steps)]
        return BrownianGrid(points, shape, path, y0.dtype, y0.device, areas)
    from torchsde import BrownianInterval

    return BrownianInterval(
        times[0],
        times[-1],
        size=shape,
        dtype=y0.dtype,
        device=y0.device,
        entropy=path,
        # Else it takes the mean of the steps so far for it, and cuts the whole interval into such.
        dt=spec.length_of_steps(times[-1] - times[0]),
        levy_area_approximation="space-time" if areas else "none",
    )


def _refuse_not_finite(states: Tensor, times: Sequence[float], spec: SdeSpec) -> None:
    finite = torch.isfinite(states.detach()).flatten(1).all(dim=1)
    if not bool(finite.all()):
        first = finite.tolist().index(False)
        where = f"at {at_time(times[0])}" if first == 0 else f"before {at_time(times[first])}"
        raise NotFiniteError(
            f"{spec.method} stopped {where}: the state is no longer finite",
            fixed=not spec.adaptive,
        )


def _refuse_other_kind(sde: Sde, y0: Tensor, spec: SdeSpec) -> None:
    declared = spec.declared
    if sde.calculus != declared.calculus:
        raise ValueError(f"{spec.method} does not solve an SDE in the sense of {sde.calculus}")
    if sde.noise not in declared.noises:
        raise ValueError(f"{spec.method} takes no {sde.noise} noise")
    if sde.noise != "diagonal" and y0.ndim != 2:
        raise ValueError(f"a state with {sde.noise} noise is [B, D], not {list(y0.shape)}")


def _refuse_too_many_steps(times: Sequence[float], spec: SdeSpec) -> None:
    if spec.adaptive:
        return
    length = spec.length_of_steps(times[-1] - times[0])
    count = sum(steps_between(b - a, length) for a, b in pairwise(times))
    if count > _MOST_STEPS:
        raise SolverError(
            f"{spec.method} would take {count:.3g} steps of {length:.3g} from t = {times[0]:.6g} to"
            f" {times[-1]:.6g}, and at most {_MOST_STEPS:,} are taken; use longer steps, or a"
            " shorter time."
        )


def _checked_times(t: Tensor | Sequence[float]) -> list[float]:
    times: list[float] = t.detach().double().tolist() if isinstance(t, Tensor) else list(t)
    if len(times) < 2 or any(b <= a for a, b in pairwise(times)):
        raise ValueError("an SDE needs two output times or more, each later than the one before")
    return times
