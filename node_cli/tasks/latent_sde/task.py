"""Learn time series with a latent SDE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from node_cli.data.batches import OrderedBatches, ShuffledBatches
from node_cli.data.path_seeds import Seeded, SeededBatches, SeededEvaluation, seed_of_a_question
from node_cli.data.series_units import SeriesUnits
from node_cli.data.time_units import Times
from node_cli.models.model_with_units import kept_in, units_in
from node_cli.tasks.base import Audit, BestMetric, EvaluationData, Loaders, Task, TrainingData
from node_cli.tasks.given_series import columns_of
from node_cli.tasks.latent_sde.asked_series import AskedSeries
from node_cli.tasks.latent_sde.comparison import evidence_gap, learned_and_true
from node_cli.tasks.latent_sde.data_set import DataSet
from node_cli.tasks.latent_sde.inflation import inflation
from node_cli.tasks.latent_sde.latent_sde import (
    LatentSde,
    LatentSdeOfOneSeries,
    LatentSdeOfSeries,
    grid_in,
)
from node_cli.tasks.latent_sde.lorenz import LorenzData, stochastic_lorenz
from node_cli.tasks.latent_sde.predictions import read_inputs, times_of_one
from node_cli.tasks.latent_sde.schema import (
    InflationConfig,
    OuSegmentsConfig,
    StochasticLorenzConfig,
)
from node_cli.tasks.latent_sde.scores import Scores
from node_cli.tasks.latent_sde.segments import ou_segments
from node_cli.tasks.latent_sde.series import Series
from node_cli.tasks.latent_sde.series_table import read_series
from node_cli.tasks.latent_sde.stream import Stream
from node_cli.tasks.predicted_rows import mean_and_bounds, series_rows
from node_cli.tasks.prediction import Inputs, Predictions, Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.latent_sde.schema import LatentSdeConfig, SeriesConfig

    class LatentSdeRun(RunConfig):
        """The settings of a run of this task."""

        model: LatentSdeConfig
        data: SeriesConfig


_ONE_SERIES = (64, 1024)  # paths in training and in the evaluation, where the settings say null
_SERIES = (1, 50)


class LatentSdeTask(Task[LatentSde]):
    """The experiments of Li et al. 2020, section 7."""

    config: LatentSdeRun
    best = BestMetric("loss", "min", "negative ELBO", "nats a series")
    asks = frozenset({"input", "times", "samples"})

    @cached_property
    def lorenz(self) -> LorenzData | None:
        """The data and their truth, where they are paths of a stochastic Lorenz system."""
        data = self.config.data
        if not isinstance(data, StochasticLorenzConfig):
            return None
        return stochastic_lorenz(data, self.config.seed)

    @cached_property
    def data_set(self) -> DataSet:
        """Training, validation and test series, and what is known of them.

        Raises:
            DataError: they cannot be read.
            SolverError: they cannot be made.
        """
        data, seed = self.config.data, self.config.seed
        if isinstance(data, OuSegmentsConfig):
            return ou_segments(data, seed)
        if isinstance(data, InflationConfig):
            return inflation(data)
        if isinstance(data, StochasticLorenzConfig):
            assert self.lorenz is not None
            return self.lorenz.data_set
        return read_series(data, seed)

    @property
    def about_data(self) -> Sequence[str]:
        """Where series are from that were measured, under which licence, and how many there are."""
        data_set = self.data_set
        if not data_set.about:
            return ()
        names = ("training", "validation", "the test")
        counts = ", ".join(
            f"{len(part):,} for {name}" for part, name in zip(data_set.parts, names, strict=True)
        )
        return f"{self.config.data.name}: {data_set.about}", f"series: {counts}"

    @property
    def published_data(self) -> Sequence[Tensor]:
        """The prices that a package has, where rates of inflation are learned."""
        prices = self.data_set.published
        return () if prices is None else (prices,)

    def build_model(self) -> LatentSde:
        """For one series with a prior of its own, or for many."""
        parts, units = self.data_set.parts, self.data_set.units
        same_times = all(part.observed.regular for part in parts)
        masked = any(
            bool((part.observed.roles > 0).unsqueeze(-1).logical_and(~part.observed.known).any())
            for part in parts
        )
        grid = parts[0].observed.times[0].double().numpy() if same_times else None
        return self._model(units, masked, grid)

    def model_of(self, state: Mapping[str, Any]) -> LatentSde:
        """Without the data, of which the checkpoint has what the model needs to know."""
        kept = units_in(state)
        if kept is None:
            return self.build_model()
        return self._model(*kept, grid_in(kept_in(state)))

    def _model(self, units: SeriesUnits, masked: bool, grid: Times | None) -> LatentSde:
        data, config, spec = self.config.data, self.config.model, self.sde_spec
        if isinstance(data, OuSegmentsConfig):
            model: LatentSde = LatentSdeOfOneSeries(config, data, spec)
        else:
            model = LatentSdeOfSeries(config, len(units.columns), grid is None, masked, spec)
            model.grid = grid
        model.units = units
        return model

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of ``Series``, each with the seed of its paths."""
        data, seed = self.config.data, self.config.seed
        train, validation, test = self.data_set.parts
        batches: TrainingData = (
            Repeated(train.to(device), data.steps)
            if isinstance(data, OuSegmentsConfig)
            else ShuffledBatches(train.observed, data.batch_size, seed, device, Stream.ORDER)
        )

        def evaluated(part: Series, stream: Stream) -> SeededEvaluation:
            batches = OrderedBatches(part, data.eval_batch_size, device)
            return SeededEvaluation(batches, seed, stream)

        labels = {}
        if not isinstance(data, OuSegmentsConfig):
            columns = columns_of(data, self.data_set.units.columns)
            labels[columns.id] = self.data_set.ids
        return Loaders(
            SeededBatches(batches, seed, Stream.TRAINING),
            evaluated(validation, Stream.VALIDATION),
            evaluated(test, Stream.TEST),
            labels,
        )

    def loss(self, model: LatentSde, batch: Seeded) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean negative ELBO of a series in nats, the KL by its weight at this point."""
        warmup = self.config.model.kl_warmup
        weight = min(1.0, self.progress / warmup) if warmup else 1.0
        found = model(batch.examples, self._paths[0], batch.path_seed)
        return found.negative_elbo(weight).mean(), {
            "path_kl": found.path_kl.detach().mean(),
            "start_kl": found.start_kl.detach().mean(),
            "noise": model.observation.scale.detach(),
        }

    def evaluate(self, model: LatentSde, batches: Iterable[Seeded]) -> dict[str, float]:
        """``loss`` with the whole KL, its parts, errors, and the calibration of the bands.

        ``path_kl`` and ``start_kl`` are in nats a series. Errors are those of the mean path, for
        each value: ``rmse_observed`` at the points that the model was shown, ``rmse_unseen`` at
        held-out ones between them, ``rmse_forward`` at those after the last one, and
        ``rmse_forward_of_last`` that of the last observed value in its place. ``inside_50`` and
        ``inside_90`` are the shares of held-out values inside of the central 50 and 90 % of what is
        predicted for them, noise included.
        """
        scores = Scores()
        for batch in batches:
            found = model(batch.examples, self._paths[1], batch.path_seed)
            scores.add(batch.examples, found, model.observation)
        return {**scores.metrics(), "noise": float(model.observation.scale)}

    def inputs(self, model: LatentSde, question: Question) -> Inputs:
        """Observed series of a file, or the one of training, with the points that are asked for.

        They are ``AskedSeries``.
        """
        if isinstance(model, LatentSdeOfSeries):
            assert model.units is not None
            return read_inputs(model, columns_of(self.config.data, model.units.columns), question)
        data_set = self.data_set
        return times_of_one(self.config.data, data_set.parts[0], data_set.units, question)

    def batches_of_inputs(
        self, inputs: Inputs, batch_size: int, device: torch.device, question: Question
    ) -> SeededEvaluation:
        """Batches of ``AskedSeries`` with the seeds of those of the test."""
        batches = super().batches_of_inputs(inputs, batch_size, device, question)
        seed = seed_of_a_question(self.config.seed, question.seed)
        return SeededEvaluation(batches, seed, Stream.TEST)

    def predict(self, model: LatentSde, batch: Seeded, question: Question) -> Predictions:
        """The mean path at the times that are asked for, and bounds, in the units of the data."""
        series: AskedSeries = batch.examples
        assert model.units is not None
        paths = model(series, question.samples or self._paths[1], batch.path_seed).mean
        found = mean_and_bounds(paths[:, series.asked], question.band)
        columns = columns_of(self.config.data, model.units.columns)
        return series_rows(found, series.at, series.asked, columns, model.units)

    def audit(
        self,
        model: LatentSde,
        data: EvaluationData,
        draw: bool,
        steps: int,
        tell: Callable[[str], None],
    ) -> Audit:
        """What is known of the truth.

        With a given prior and normal noise, ``evidence_gap``: how far the ELBO of the test is below
        the evidence, in nats; it is the KL divergence from the true posterior. For a stochastic
        Lorenz system, ``drift_error`` and ``diffusion_error``: see ``learned_and_true``.
        """
        assert isinstance(data, SeededEvaluation)
        first = next(iter(data))
        found = model(first.examples, self._paths[1], first.path_seed)
        if isinstance(self.config.data, OuSegmentsConfig):
            gap = evidence_gap(self.config.data, first.examples, found, model.observation)
            return Audit({} if gap is None else {"evidence_gap": gap})
        if self.lorenz is None or not isinstance(model, LatentSdeOfSeries):
            return Audit()
        compared = learned_and_true(model, self.lorenz, found)
        return Audit({f"{name}_error": pair.relative_error for name, pair in compared.items()})

    def figures(
        self, model: LatentSde, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Bands of posterior and prior, what is known of the truth, and curves."""
        from node_cli.tasks.latent_sde.drawing import drawn

        assert isinstance(data, SeededEvaluation)
        return {**drawn(self, model, next(iter(data)), history), **self.curves(history)}

    @property
    def _paths(self) -> tuple[int, int]:
        """For each series, in training and in the evaluation."""
        model = self.config.model
        default = _ONE_SERIES if isinstance(self.config.data, OuSegmentsConfig) else _SERIES
        return model.samples or default[0], model.eval_samples or default[1]


class Repeated:
    """The same batch in every step of an epoch."""

    def __init__(self, examples: Series, steps: int) -> None:
        self._examples, self._steps = examples, steps

    def __len__(self) -> int:
        """Steps."""
        return self._steps

    def batch(self, epoch: int, index: int) -> Series:
        """All that there is."""
        if not 0 <= index < self._steps:
            raise IndexError(f"batch {index} of {self._steps}")
        return self._examples
