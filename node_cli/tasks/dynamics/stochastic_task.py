"""SDEs that are learned from their paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from node_cli.data.batches import OrderedBatches, ShuffledBatches
from node_cli.data.path_seeds import Seeded, SeededEvaluation, seed_of_a_question
from node_cli.data.series_units import SeriesUnits
from node_cli.models.model_with_units import units_in
from node_cli.tasks.base import Batch, BestMetric, EvaluationData, Loaders, Task
from node_cli.tasks.dynamics.asked import AskedTrajectories, read_inputs
from node_cli.tasks.dynamics.schema import SystemConfig
from node_cli.tasks.dynamics.sde_model import SdeModel
from node_cli.tasks.dynamics.stochastic_schema import SdeConfig, StochasticSystemConfig
from node_cli.tasks.dynamics.stochastic_systems import StochasticSystem
from node_cli.tasks.dynamics.stream import Stream
from node_cli.tasks.dynamics.system import Floats, System, UnknownSystem
from node_cli.tasks.dynamics.systems import system_of
from node_cli.tasks.dynamics.trajectories import Trajectories, make_trajectories
from node_cli.tasks.dynamics.trajectory_file import TrajectoryTable, made, read_trajectories
from node_cli.tasks.dynamics.windows import ManyPasses, Window, Windows
from node_cli.tasks.given_series import SeriesColumns, columns_of
from node_cli.tasks.predicted_rows import mean_and_bounds, series_rows
from node_cli.tasks.prediction import Inputs, Predictions, Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.dynamics.schema import TrajectoryFileConfig

    class StochasticRun(RunConfig):
        """The settings of a run of this task with a model that is an SDE."""

        data: StochasticSystemConfig | TrajectoryFileConfig
        model: SdeConfig


# Learned and true functions are compared where so many of the states are, in the middle.
_MIDDLE = 0.95
_SAMPLES = 100  # paths from each state that predictions are made of, where no number is asked for


class StochasticDynamics(Task[SdeModel]):
    """Learn drift and diffusion from paths x(t), by the likelihood of increments."""

    config: StochasticRun
    best: BestMetric = BestMetric("loss", "min", "negative log-likelihood of an increment")
    asks = frozenset({"input", "times", "samples"})

    @cached_property
    def _data(self) -> tuple[System, TrajectoryTable]:
        data, seed = self.config.data, self.config.seed
        if not isinstance(data, SystemConfig):
            table = read_trajectories(data, None, seed)
            return UnknownSystem(table.units.columns), table
        system = system_of(data)
        return system, made(make_trajectories(data, system, seed), system.columns)

    @property
    def system(self) -> System:
        """The true SDE, as far as it is known."""
        return self._data[0]

    @property
    def table(self) -> TrajectoryTable:
        """Training, validation and test paths.

        Raises:
            DataError: a file cannot be used.
        """
        return self._data[1]

    def build_model(self) -> SdeModel:
        """Of the ``model`` group."""
        return self._model(self.table.units)

    def model_of(self, state: Mapping[str, Any]) -> SdeModel:
        """Without the data, whose units the checkpoint has."""
        kept = units_in(state)
        return self.build_model() if kept is None else self._model(kept[0])

    def _model(self, units: SeriesUnits) -> SdeModel:
        spec = self.sde_spec.in_units_of(units.time_scale)
        model = SdeModel(self.config.model, len(units.columns), spec)
        model.units = units
        return model

    @property
    def about_data(self) -> Sequence[str]:
        """How a file was read."""
        return self.table.about

    def loaders(self, device: torch.device) -> Loaders:
        """Increments for training; whole paths for the rest."""
        train, validation, test = self.table.parts
        data, seed = self.config.data, self.config.seed
        batches = ShuffledBatches(Windows(train, 2), data.batch_size, seed, device, Stream.ORDER)
        val, tested = (
            SeededEvaluation(OrderedBatches(part, data.eval_batch_size, device), seed, Stream.PATHS)
            for part in (validation, test)
        )
        passes = data.passes if isinstance(data, SystemConfig) else 1
        labels = {self._columns(self.table.units).id: self.table.ids}
        return Loaders(ManyPasses(batches, passes), val, tested, labels)

    def _columns(self, units: SeriesUnits) -> SeriesColumns:
        return columns_of(self.config.data, units.columns)

    def loss(self, model: SdeModel, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean negative log-likelihood of an increment."""
        pair: Window = batch
        t, step = pair.start, pair.elapsed[:, 1]
        return model.surprise(t, pair.states[:, 0], pair.states[:, 1], step).mean(), {}

    def evaluate(self, model: SdeModel, batches: Iterable[Batch]) -> dict[str, float]:
        """The loss; where the SDE is known, how far the learned one is from it.

        ``drift_rmse`` and ``diffusion_rmse`` are root mean squares over the states of these paths,
        without the outer 5 %; the parameters, such as ``theta``, are those of the known SDE that
        are nearest to the learned drift and diffusion there, and ``theta_error`` and the like what
        they are off by. ``wasserstein`` is the distance of the laws at the last time: of these
        paths, and of the model's from the same first states.
        """
        surprise, increments = 0.0, 0
        states, ends = [], []
        for batch in batches:
            paths: Trajectories = batch.examples
            pairs = Windows(paths, 2)
            surprise += len(pairs) * float(self.loss(model, pairs[:])[0])
            increments += len(pairs)
            states.append(paths.states[paths.there])
            if _have_the_same_times(paths):
                ends_of_time = paths.times[0, [0, -1]]
                sampled = model(paths.states[:, 0], ends_of_time, batch.path_seed)
                ends.append((sampled[:, -1], paths.states[:, -1]))
        found = {"loss": surprise / increments}
        if ends:
            found["wasserstein"] = _wasserstein(*map(torch.cat, zip(*ends, strict=True)))
        if isinstance(self.system, StochasticSystem):
            found |= _off(self.system, learned_at(model, torch.cat(states)))
        return found

    def inputs(self, model: SdeModel, question: Question) -> Inputs:
        """First states of a file, with the points that are asked for: ``AskedTrajectories``."""
        assert model.units is not None
        return read_inputs(model.units, self._columns(model.units), question, backwards=False)

    def batches_of_inputs(
        self, inputs: Inputs, batch_size: int, device: torch.device, question: Question
    ) -> SeededEvaluation:
        """Batches with the seeds of those of the test."""
        batches = super().batches_of_inputs(inputs, batch_size, device, question)
        seed = seed_of_a_question(self.config.seed, question.seed)
        return SeededEvaluation(batches, seed, Stream.PATHS)

    def predict(self, model: SdeModel, batch: Seeded, question: Question) -> Predictions:
        """The mean over paths at the times that are asked for, and bounds."""
        asked: AskedTrajectories = batch.examples
        assert model.units is not None
        start = asked.times[:, 0]
        paths = model.sampled(
            asked.states[:, 0],
            start,
            asked.times - start.unsqueeze(1),
            question.samples or _SAMPLES,
            batch.path_seed,
        )
        found = mean_and_bounds(paths[:, asked.asked], question.band)
        return series_rows(found, asked.at, asked.asked, self._columns(model.units), model.units)

    def figures(
        self, model: SdeModel, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Learned against true functions, sampled paths beside those of the data, and curves."""
        from node_cli.figures.curves import curves_by_epoch
        from node_cli.tasks.dynamics.stochastic_figures import functions, paths_and_law

        batch: Seeded = next(iter(data))
        paths: Trajectories = batch.examples
        title = f"{self.data_label}, validation: epoch {len(history)}"
        drawn = {}
        if paths.states.shape[-1] == 1:
            known = self.system if isinstance(self.system, StochasticSystem) else None
            states = paths.states[paths.there]
            low, high = states.min(), states.max()
            line = low + (high - low) * torch.linspace(0, 1, 201, device=low.device)
            on_a_line = learned_at(model, line.unsqueeze(-1), share=1.0)
            drawn["drift_and_diffusion"] = functions(
                on_a_line, known, states.double().cpu().numpy(), title
            )
        if _have_the_same_times(paths):
            sampled = model(paths.states[:, 0], paths.times[0], batch.path_seed)
            drawn["paths"] = paths_and_law(
                paths.times[0].cpu().numpy(),
                paths.states.cpu().numpy(),
                sampled.cpu().numpy(),
                self.system.columns,
                title,
            )
        if isinstance(self.system, StochasticSystem):
            errors = {f"{name}_rmse/val": name for name in ("drift", "diffusion")}
            drawn["error_per_epoch"] = curves_by_epoch(
                history, errors, "root mean square error", self.data_label
            )
        return {**drawn, **self.curves(history)}


class Learned(NamedTuple):
    """A learned SDE of one value.

    Attributes:
        states: ``[N]``.
        drift: there, in the sense of Itô, ``[N]``.
        diffusion: there, ``[N]``.
    """

    states: Floats
    drift: Floats
    diffusion: Floats


def learned_at(model: SdeModel, states: Tensor, share: float = _MIDDLE) -> Learned:
    """Drift and diffusion at time 0 and at the middle ``share`` of states ``[N, 1]``."""
    outer = (1 - share) / 2
    edges = np.quantile(states.cpu().numpy(), (outer, 1 - outer))
    inside = states[((states >= edges[0]) & (states <= edges[1])).all(dim=1)]
    found = (inside, model.ito_drift(inside.new_zeros(()), inside), model.scales(inside))
    return Learned(*(part.squeeze(1).double().cpu().numpy() for part in found))


def _off(system: StochasticSystem, learned: Learned) -> dict[str, float]:
    """By how much a learned SDE is off a known one, and the parameters that it has."""
    states = learned.states[:, None]
    differences = {
        "drift_rmse": learned.drift - system.derivative(states)[:, 0],
        "diffusion_rmse": learned.diffusion - system.diffusion(states)[:, 0],
    }
    parameters = system.fitted(*learned)
    errors = {f"{name}_error": parameters[name] - true for name, true in system.parameters.items()}
    roots = {name: float(np.sqrt((off**2).mean())) for name, off in differences.items()}
    return roots | parameters | errors


def _have_the_same_times(paths: Trajectories) -> bool:
    return bool(paths.there.all()) and bool((paths.times == paths.times[:1]).all())


def _wasserstein(sampled: Tensor, true: Tensor) -> float:
    """The distance of two samples ``[N, D]`` of the same size, the mean over the values."""
    return float((sampled.sort(dim=0).values - true.sort(dim=0).values).abs().mean())
