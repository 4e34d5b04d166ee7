"""Vector fields that are learned from trajectories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from node_cli.data.batches import OrderedBatches, ShuffledBatches
from node_cli.data.series_units import SeriesUnits
from node_cli.errors import ConfigError, SolverError
from node_cli.models.model_with_units import units_in
from node_cli.tasks.base import Audit, Batch, BestMetric, EvaluationData, Loaders, Task
from node_cli.tasks.dynamics.asked import AskedTrajectories, read_inputs
from node_cli.tasks.dynamics.long_run import LongRun
from node_cli.tasks.dynamics.model import DynamicsModel, build_dynamics_model
from node_cli.tasks.dynamics.model_schema import keeps_positions, second_half
from node_cli.tasks.dynamics.schema import (
    ReflectionConfig,
    SystemConfig,
    TrajectoryFileConfig,
)
from node_cli.tasks.dynamics.stochastic_task import StochasticDynamics
from node_cli.tasks.dynamics.stream import Stream
from node_cli.tasks.dynamics.system import System, UnknownSystem, energies
from node_cli.tasks.dynamics.systems import system_of
from node_cli.tasks.dynamics.trajectories import Trajectories, make_trajectories, reflections
from node_cli.tasks.dynamics.trajectory_file import TrajectoryTable, made, read_trajectories
from node_cli.tasks.dynamics.windows import ManyPasses, Window, Windows
from node_cli.tasks.given_series import SeriesColumns, columns_of
from node_cli.tasks.prediction import Inputs, Predictions, Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.dynamics.schema import TrajectoryConfig

    class DynamicsRun(RunConfig):
        """The settings of a run of this task."""

        data: TrajectoryConfig


class Dynamics(Task[DynamicsModel]):
    """Learn dx/dt from trajectories x(t)."""

    config: DynamicsRun
    best: BestMetric = BestMetric("mse_inside", "min", "squared error inside the window")
    asks = frozenset({"input", "times"})

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        if self.fits_derivatives:  # trajectories run away from a field for other reasons too
            self.best = BestMetric("loss", "min", "squared error of dx/dt")

    @cached_property
    def _data(self) -> tuple[System, TrajectoryTable]:
        data, seed = self.config.data, self.config.seed
        if isinstance(data, TrajectoryFileConfig):
            table = read_trajectories(data, second_half(self.config.model), seed)
            return UnknownSystem(table.units.columns), table
        if isinstance(data, ReflectionConfig):
            columns = [f"x{number}" for number in range(1, data.dimensions + 1)]
            return UnknownSystem(columns), made(reflections(data, seed), columns)
        system = system_of(data)
        parts = make_trajectories(data, system, seed)
        if system.observed is not None and len(system.observed) < len(system.columns):
            system = UnknownSystem(system.observed)
        return system, made(parts, system.columns)

    @property
    def system(self) -> System:
        """The true equations, as far as they are known."""
        return self._data[0]

    @property
    def about_data(self) -> Sequence[str]:
        """How a file was read."""
        return self.table.about

    @property
    def table(self) -> TrajectoryTable:
        """Training, validation and test trajectories.

        Raises:
            DataError: a file cannot be used.
        """
        return self._data[1]

    @property
    def fits_derivatives(self) -> bool:
        """Whether dx/dt is given and fitted."""
        data = self.config.data
        return isinstance(data, SystemConfig) and data.loss == "derivative"

    def build_model(self) -> DynamicsModel:
        """The model of the ``model`` group.

        Raises:
            ConfigError: it needs pairs of values, and their number is odd.
        """
        model, dimensions = self.config.model, len(self.system.columns)
        if keeps_positions(model) and dimensions % 2:
            raise ConfigError(
                f"model={model.name}: a state is positions beside as many velocities or momenta,"
                f" and these data have {dimensions} values ({', '.join(self.system.columns)});"
                " use model=mlp-field."
            )
        return self._model(self.table.units)

    def model_of(self, state: Mapping[str, Any]) -> DynamicsModel:
        """Without the data, whose units the checkpoint has."""
        kept = units_in(state)
        if kept is None:
            return self.build_model()
        return self._model(kept[0])

    def _model(self, units: SeriesUnits) -> DynamicsModel:
        spec = self.spec.in_units_of(units.time_scale)
        return build_dynamics_model(self.config.model, units, spec)

    def loaders(self, device: torch.device) -> Loaders:
        """Windows for training; whole trajectories, to their horizon, for the rest."""
        train, validation, test = self.table.parts
        data, seed = self.config.data, self.config.seed
        length = None if isinstance(data, ReflectionConfig) else data.window
        windows = Windows(train, 1 if self.fits_derivatives else length)
        return Loaders(
            ManyPasses(
                ShuffledBatches(windows, data.batch_size, seed, device, Stream.ORDER),
                data.passes if isinstance(data, SystemConfig) else 1,
            ),
            OrderedBatches(validation, data.eval_batch_size, device),
            OrderedBatches(test, data.eval_batch_size, device),
            {self._columns(self.table.units).id: self.table.ids},
        )

    def loss(self, model: DynamicsModel, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean squared error of a value: of a state in a window, or of a derivative."""
        window: Window = batch
        if self.fits_derivatives:
            slopes = model.derivative(window.start, window.states[:, 0])
            return (slopes - window.derivatives[:, 0]).square().mean(), {}
        predicted = model(window.states[:, 0], window.start, window.elapsed)
        return _mean_square(predicted - window.states, window.there), {}

    def evaluate(self, model: DynamicsModel, batches: Iterable[Batch]) -> dict[str, float]:
        """Errors of whole trajectories, each predicted from its true first state.

        ``mse_inside`` is the mean squared error of a value against the truth up to the last
        observation of training, ``mse_beyond`` from there to the horizon; infinite where the
        learned field runs away. ``energy_mse`` is that of the energy at all of these points, where
        there is one. ``loss`` is that against what is observed inside, or, with
        ``data.loss=derivative``, that of the derivatives there.
        """
        sums = dict.fromkeys(("loss", "mse_inside", "mse_beyond", "energy_mse"), 0.0)
        counts = dict.fromkeys(sums, 0)
        for batch in batches:
            true: Trajectories = batch
            inside = true.there & ~true.beyond
            predicted = self.predicted(model, true)
            of_truth = (predicted - true.truth).square().double()
            if self.fits_derivatives:
                slopes = model.derivative(true.times[inside], true.states[inside])
                found = (slopes - true.derivatives[inside]).square().double()
            else:
                found = (predicted - true.states).square().double()[inside]
            for name, squares in (
                ("loss", found),
                ("mse_inside", of_truth[inside]),
                ("mse_beyond", of_truth[true.beyond]),
            ):
                sums[name] += float(squares.sum())
                counts[name] += squares.numel()
            found_energy, true_energy = (
                energies(self.system, states.double().cpu().numpy())
                for states in (predicted, true.truth)
            )
            if found_energy is not None and true_energy is not None:
                off = found_energy - true_energy
                sums["energy_mse"] += float((off**2).sum())
                counts["energy_mse"] += off.size
        return {name: total / counts[name] for name, total in sums.items() if counts[name]}

    def predicted(self, model: DynamicsModel, true: Trajectories) -> Tensor:
        """Where the model goes from the true first states, ``[N, P, D]``.

        Points beyond are infinite where it cannot go so far.

        Raises:
            SolverError: it does not even get to the end of the window.
        """
        first, start = true.truth[:, 0], true.times[:, 0]
        elapsed = true.times - start.unsqueeze(1)
        try:
            return model(first, start, elapsed)  # type: ignore[no-any-return]
        except SolverError:
            if not bool(true.beyond.any()):
                raise
        # Points beyond take the place of the last one inside.
        inside = elapsed.masked_fill(true.beyond, 0.0)
        predicted: Tensor = model(first, start, inside.cummax(dim=1).values)
        return predicted.masked_fill(true.beyond.unsqueeze(-1), float("inf"))

    def inputs(self, model: DynamicsModel, question: Question) -> Inputs:
        """First states of a file, with the points that are asked for: ``AskedTrajectories``."""
        assert model.units is not None
        return read_inputs(model.units, self._columns(model.units), question)

    def predict(self, model: DynamicsModel, batch: Batch, question: Question) -> Predictions:
        """Values at the times that are asked for, in the units of the data."""
        asked: AskedTrajectories = batch
        assert model.units is not None
        names = self._columns(model.units)
        values = model.units.own_values(self.predicted(model, asked).cpu())
        rows = torch.cat((asked.at.cpu().unsqueeze(2), values), dim=2)[asked.asked.cpu()]
        return Predictions([names.time, *names.values], rows, asked.asked.nonzero()[:, 0])

    def _columns(self, units: SeriesUnits) -> SeriesColumns:
        return columns_of(self.config.data, units.columns)

    def figures(
        self, model: DynamicsModel, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Trajectories against time, in the plane with both vector fields, and curves."""
        from node_cli.figures.curves import curves_by_epoch
        from node_cli.tasks.dynamics.figures import (
            Portrait,
            against_time,
            energy_over_time,
            phase_portrait,
        )

        assert isinstance(data, OrderedBatches)
        title = f"{self.data_label}, validation: epoch {len(history)}"
        shown: AskedTrajectories = data.examples[:3]
        predicted = self.predicted(model, shown).cpu().numpy()
        portrait = Portrait(self.system, shown, predicted, model)
        errors = {
            f"mse_{where}/val": label
            for where, label in (("inside", "inside of the window"), ("beyond", "beyond"))
        }
        long = self._long_run(model, shown)
        energy = None if long is None else energy_over_time(long, title)
        return {
            "trajectories": against_time(portrait, title),
            **({"phase_portrait": phase_portrait(portrait, title)} if self.system.planes else {}),
            **({} if energy is None else {"energy": energy}),
            "error_per_epoch": curves_by_epoch(
                history, errors, "mean squared error of a value", self.data_label
            ),
            **self.curves(history),
        }

    def audit(
        self,
        model: DynamicsModel,
        data: EvaluationData,
        draw: bool,
        steps: int,
        tell: Callable[[str], None],
    ) -> Audit:
        """A long run from the test's first states: its energy, or how long it can be trusted."""
        from node_cli.tasks.dynamics.figures import Portrait, moving_portrait

        assert isinstance(data, OrderedBatches)
        test: AskedTrajectories = data.examples
        tell("following the test trajectories for ten times the window")
        long = self._long_run(model, test)
        metrics = {} if long is None else long.metrics()
        if not draw or not self.system.planes:
            return Audit(metrics)
        tell("drawing the animation")
        shown = test[:3]
        predicted = self.predicted(model, shown).cpu().numpy()
        portrait = Portrait(self.system, shown, predicted, model)
        film = moving_portrait(portrait, self.data_label)
        return Audit(metrics, {"phase_portrait_over_time": film})

    def _long_run(self, model: DynamicsModel, of: Trajectories) -> LongRun | None:
        data = self.config.data
        if not isinstance(data, SystemConfig) or not self.system.known:
            return None
        return LongRun.of(self.system, model, data.span, of)


def _mean_square(error: Tensor, counted: Tensor) -> Tensor:
    if bool(counted.all()):
        return error.square().mean()
    return error.square().mean(dim=-1)[counted].mean()


def dynamics(config: RunConfig) -> Task[Any]:
    """The task for the model of a run: an ODE or an SDE."""
    return Dynamics(config) if config.model.stochastic is None else StochasticDynamics(config)
