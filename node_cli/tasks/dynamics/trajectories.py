"""Trajectories: as they are observed, and as they truly are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from node_cli.data.random_streams import random_stream
from node_cli.data.tensor_record import TensorRecord
from node_cli.errors import DataError
from node_cli.tasks.dynamics.schema import ReflectionConfig, SystemConfig
from node_cli.tasks.dynamics.stochastic_systems import StochasticSystem
from node_cli.tasks.dynamics.stream import Stream
from node_cli.tasks.dynamics.system import Floats, System

_TOLERANCE = 1e-10
# Trajectories that one solve carries together, at a tolerance that is as much smaller as the norm
# over all of them may hide an error of one.
_TOGETHER = 64
# Of one solve, which takes about a minute; those of the default runs take some thousands.
_MOST_EVALUATIONS = 1_000_000


@dataclass(frozen=True)
class Trajectories(TensorRecord):
    """N trajectories of at most P points with D values each.

    The points of a trajectory are in the order of time, and padded at the end.

    Attributes:
        times: ``[N, P]``; where there is padding, the last time again.
        states: as observed, ``[N, P, D]``.
        truth: without noise where it is known, ``[N, P, D]``.
        derivatives: true ones, ``[N, P, D]``; not a number where they are not known.
        shown: points that training may see, bool ``[N, P]``.
        there: points that are no padding, bool ``[N, P]``.
    """

    times: Tensor
    states: Tensor
    truth: Tensor
    derivatives: Tensor
    shown: Tensor
    there: Tensor

    @property
    def beyond(self) -> Tensor:
        """Points after the last one that is shown of their trajectory, bool ``[N, P]``."""
        later = self.shown.flip(1).cumsum(dim=1).flip(1)  # shown points from this one on
        return self.there & (later == 0)


def make_trajectories(config: SystemConfig, system: System, seed: int) -> list[Trajectories]:
    """Trajectories for training, validation and test.

    Those for training end at ``config.span``; the others go on to the horizon.
    """
    counts = (config.trajectories, config.validation, config.test)
    return [
        _observed(config, system, count, 0 if part == 0 else config.beyond, seed, part)
        for part, count in enumerate(counts)
    ]


def _observed(
    config: SystemConfig, system: System, count: int, beyond: int, seed: int, part: int
) -> Trajectories:
    stream = random_stream(seed, Stream.TRAJECTORIES, part)
    points = config.points + beyond
    times = config.span * np.arange(points) / (config.points - 1)
    starts = system.starts(count, stream)
    if isinstance(system, StochasticSystem):
        truth = system.paths(starts, times, stream)
    else:
        truth = trajectories_of(system, starts, times)
    observed = len(system.columns if system.observed is None else system.observed)
    true, slopes = (
        torch.from_numpy(values[..., :observed]).float()
        for values in (truth, system.derivative(truth))
    )
    noise = config.noise * torch.randn(true.shape, generator=stream)
    shown = (torch.arange(points) < config.points).expand(count, -1)
    return Trajectories(
        torch.from_numpy(times).float().expand(count, -1),
        true + noise,
        true,
        slopes,
        shown,
        torch.ones_like(shown),
    )


def reflections(config: ReflectionConfig, seed: int) -> list[Trajectories]:
    """From x at time 0 to -x at time 1, for x uniform in a cube from -1 to 1."""
    counts = (config.trajectories, config.validation, config.test)
    parts = []
    for part, count in enumerate(counts):
        stream = random_stream(seed, Stream.REFLECTION, part)
        first = torch.empty(count, config.dimensions).uniform_(-1.0, 1.0, generator=stream)
        states = torch.stack((first, -first), dim=1)
        there = torch.ones(count, 2, dtype=torch.bool)
        times = torch.tensor([0.0, 1.0]).expand(count, -1)
        unknown = torch.full_like(states, float("nan"))
        parts.append(Trajectories(times, states, states, unknown, there, there))
    return parts


def trajectories_of(
    system: System, starts: Floats, times: Floats, most: float = _MOST_EVALUATIONS
) -> Floats:
    """Where a system goes, by SciPy's DOP853 in double precision.

    Args:
        system: its equations.
        starts: states at the first time, ``[N, D]``.
        times: increasing, ``[P]``.
        most: evaluations that one solve may take.

    Returns:
        States, ``[N, P, D]``.

    Raises:
        DataError: the solver could not go on, or would take too long.
    """
    from scipy.integrate import solve_ivp

    solved = []
    for first in range(0, len(starts), _TOGETHER):
        group = starts[first : first + _TOGETHER]
        with np.errstate(all="ignore"):  # what runs away is told below
            found = solve_ivp(
                _with_an_end(system, group.shape, most),
                (times[0], times[-1]),
                group.ravel(),
                method="DOP853",
                t_eval=times,
                rtol=_TOLERANCE / _TOGETHER**0.5,
                atol=_TOLERANCE / _TOGETHER**0.5,
            )
        if not found.success or not np.isfinite(found.y).all():
            raise DataError(
                f"the true trajectories cannot be computed beyond t ="
                f" {max(found.t, default=times[0]):.6g} of"
                f" {times[-1]:.6g}: the system runs away, or is too steep there. Use a smaller"
                " data.span, or more usual parameters of the system."
            )
        solved.append(found.y.reshape(*group.shape, -1).transpose(0, 2, 1))
    return np.concatenate(solved)


def _with_an_end(
    system: System, shape: tuple[int, ...], most: float
) -> Callable[[float, Floats], Floats]:
    """The equations of a group of trajectories; too many evaluations are an error."""
    taken = 0

    def derivative(t: float, y: Floats) -> Floats:
        nonlocal taken
        taken += 1
        if taken > most:
            raise DataError(
                f"the true trajectories take more than {most:.0f} evaluations and have come"
                f" only to t = {t:.6g}: that is long, or the system is stiff. Use a smaller"
                " data.span, or more usual parameters of the system."
            )
        return system.derivative(y.reshape(shape)).ravel()

    return derivative
