"""A run over many times the window: what a model keeps, and how long it can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from node_cli.errors import SolverError
from node_cli.tasks.dynamics.model import DynamicsModel
from node_cli.tasks.dynamics.system import Floats, System, energies
from node_cli.tasks.dynamics.trajectories import Trajectories, trajectories_of

TIMES_THE_WINDOW = 10
# A prediction is trusted as long as its error is below this share of the usual size of the values.
_TRUSTED = 0.4


@dataclass(frozen=True)
class LongRun:
    """Trajectories of a model and of its system from the same states.

    Attributes:
        system: the true equations.
        window: when it ends.
        times: ``[P]``, to ten times that.
        predicted: ``[N, P, D]``; infinite where the model could not go so far.
        truth: ``[N, P, D]``.
    """

    system: System
    window: float
    times: Floats
    predicted: Floats
    truth: Floats

    @classmethod
    def of(cls, system: System, model: DynamicsModel, span: float, of: Trajectories) -> LongRun:
        """Follow trajectories from their first true states.

        Args:
            system: the true equations.
            model: the learned ones.
            span: the end of the window.
            of: the trajectories.
        """
        window = int((of.shown[0]).sum())
        times = span * np.arange(TIMES_THE_WINDOW * (window - 1) + 1) / (window - 1)
        first = of.truth[:, 0]
        # Its length follows from that of the data, which have been computed.
        truth = trajectories_of(system, first.double().cpu().numpy(), times, most=math.inf)
        elapsed = torch.from_numpy(times).to(first).expand(len(first), -1)
        return cls(system, span, times, _as_far_as_possible(model, first, elapsed), truth)

    def energies(self) -> tuple[Floats, Floats] | None:
        """The energy along the predictions, ``[N, P]``, and the true one, ``[N, 1]``, or None."""
        predicted = energies(self.system, self.predicted)
        true = energies(self.system, self.truth[:, :1])
        return None if predicted is None or true is None else (predicted, true)

    def metrics(self) -> dict[str, float]:
        """By name; in units of the energy, and of the time.

        - ``energy_error``: the mean absolute difference from the true energy;
        - ``energy_drift``: its absolute mean over the last tenth, averaged over trajectories;
        - ``valid_time``: of a chaotic system, the mean time until the prediction is off by 0.4 of
          the root mean square of the truth.
        """
        found = {}
        energies = self.energies()
        if energies is not None:
            off = energies[0] - energies[1]
            last = off[:, -max(1, off.shape[1] // 10) :]
            found["energy_error"] = float(abs(off).mean())
            found["energy_drift"] = float(abs(last.mean(axis=1)).mean())
        if self.system.chaotic:
            found["valid_time"] = self._valid_time()
        return found

    def _valid_time(self) -> float:
        size = np.sqrt((self.truth**2).sum(axis=-1).mean())
        error = np.sqrt(((self.predicted - self.truth) ** 2).sum(axis=-1))
        wrong = ~(error < _TRUSTED * size)
        first = np.where(wrong.any(axis=1), wrong.argmax(axis=1), len(self.times) - 1)
        return float(self.times[first].mean())


def _as_far_as_possible(model: DynamicsModel, first: Tensor, elapsed: Tensor) -> Floats:
    start = torch.zeros_like(elapsed[:, 0])
    points = elapsed.shape[1]
    while True:
        try:
            reached = model(first, start, elapsed[:, :points])
        except SolverError:
            if points <= 2:
                reached = first.unsqueeze(1)
            else:
                points = points // 2 + 1
                continue
        found = np.full((*elapsed.shape, first.shape[-1]), np.inf)
        found[:, : reached.shape[1]] = reached.double().cpu().numpy()
        return found
