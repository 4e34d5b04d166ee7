"""Time series, regular and irregular, with latent ODEs and the models beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from node_cli.data.batches import OrderedBatches
from node_cli.data.series_units import SeriesUnits
from node_cli.models.model_with_units import units_in
from node_cli.solving import record_solves, total
from node_cli.tasks.base import Batch, BestMetric, EvaluationData, Loaders, Task
from node_cli.tasks.given_series import columns_of
from node_cli.tasks.prediction import Inputs, Predictions, Question
from node_cli.tasks.series.autoregressive import Autoregressive, predictable
from node_cli.tasks.series.latent_series import (
    LatentOde,
    LatentSeriesModel,
    RnnVae,
    importance_weighted_bound,
    negative_elbo,
)
from node_cli.tasks.series.observed import ROLES, Role, Series
from node_cli.tasks.series.predictions import predictions_of, read_inputs
from node_cli.tasks.series.schema import (
    LatentOdeConfig,
    PeriodicConfig,
    RnnVaeConfig,
    SeriesConfig,
    SpiralsConfig,
    VariationalConfig,
)
from node_cli.tasks.series.series_table import SeriesTable, made, read_series
from node_cli.tasks.series.stream import Stream
from node_cli.tasks.series.synthetic import periodic, spirals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig
    from node_cli.tasks.series.figures import Shown
    from node_cli.tasks.series.schema import SeriesConfig, SeriesModelConfig

    class SeriesRun(RunConfig):
        """The settings of a run of this task."""

        model: SeriesModelConfig
        data: SeriesConfig


SeriesModel = LatentSeriesModel | Autoregressive

_SCORED: tuple[Role, ...] = ("observed", "unseen", "forward", "backward")
_SHOWN_SERIES = 6
_SHOWN_SAMPLES = 3
_SHOWN_LATENT = 40
_WALK = 7


class LatentSeries(Task[SeriesModel]):
    """The experiments of Chen et al. 2018, section 5, and of Rubanova et al. 2019."""

    config: SeriesRun
    best: BestMetric = BestMetric("loss", "min", "negative ELBO", "nats a series")
    asks = frozenset({"input", "times", "samples"})

    @cached_property
    def table(self) -> SeriesTable:
        """Training, validation and test series.

        Raises:
            DataError: a file cannot be used.
        """
        data, seed = self.config.data, self.config.seed
        if isinstance(data, SpiralsConfig):
            return made(spirals(data, seed))
        if isinstance(data, PeriodicConfig):
            return made(periodic(data, seed))
        return read_series(data, seed)

    def build_model(self) -> SeriesModel:
        """The model of the ``model`` group."""
        masked = any(
            bool((part.roles > 0).unsqueeze(-1).expand_as(part.known)[~part.known].any())
            for part in self.table.parts
        )
        return self._model(self.table.units, masked)

    def model_of(self, state: Mapping[str, Any]) -> SeriesModel:
        """Without the data, whose units the checkpoint has."""
        kept = units_in(state)
        return self.build_model() if kept is None else self._model(*kept)

    def _model(self, units: SeriesUnits, masked: bool) -> SeriesModel:
        config, spec, dimensions = self.config.model, self.spec, len(units.columns)
        if isinstance(config, LatentOdeConfig):
            model: SeriesModel = LatentOde(config, dimensions, masked, spec)
        elif isinstance(config, RnnVaeConfig):
            model = RnnVae(config, dimensions, masked, spec)
        else:
            model = Autoregressive(config, dimensions, masked, spec)
        model.units = units
        return model

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of ``Series``."""
        train, validation, test = self.table.parts
        loaders = self.in_batches(train, validation, test, device, Stream.ORDER)
        names = columns_of(self.config.data, self.table.units.columns)
        return replace(loaders, labels={names.id: self.table.ids})

    def loss(self, model: SeriesModel, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean negative ELBO of a series in nats, or its negative log-likelihood.

        Of a latent-variable model the KL counts by its weight at this point of the run. Only
        observed points take part.
        """
        series: Series = batch.only("observed")
        if isinstance(model, Autoregressive):
            with record_solves() as solves:
                loss = -model(series).log_likelihood.mean()
            return loss, {"nfe_encoder": torch.tensor(float(total(solves).nfe_forward))}
        config = self.config.model
        assert isinstance(config, VariationalConfig)
        with record_solves() as encoding:
            posterior = model.encoder(series)
        z0 = posterior.sample(config.samples)
        with record_solves() as decoding:
            found = model.decode(series, z0, posterior)
        weight = min(1.0, self.progress / config.kl_warmup) if config.kl_warmup else 1.0
        loss, divergence = negative_elbo(found, weight)
        return loss.mean(), {
            "kl_from_prior": divergence.detach().mean(),
            "noise": model.log_noise.detach().exp(),
            "nfe_encoder": torch.tensor(float(total(encoding).nfe_forward)),
            "nfe_decoder": torch.tensor(float(total(decoding).nfe_forward)),
        }

    def evaluate(self, model: SeriesModel, batches: Iterable[Batch]) -> dict[str, float]:
        """``loss`` with the whole KL, and errors at the points of each role.

        ``rmse_observed`` is that of the reconstruction, ``mse_unseen`` of points inside of the
        observed interval that the model was not shown, ``rmse_forward`` and ``rmse_backward`` of
        points beyond; all for each coordinate, against the truth without noise where it is known.
        Latent-variable models predict the mean over ``model.iwae_samples`` samples of the
        posterior, and have ``kl_from_prior`` and the importance-weighted bound ``iwae`` too. The
        others predict each point from those before it, the first one not at all.
        """
        sums: dict[str, float] = {}
        squares = dict.fromkeys(_SCORED, (0.0, 0))
        count = 0
        for series in batches:
            count += len(series)
            mean, values = self._predicted(model, series)
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + float(value.double().sum())
            for role in _SCORED:
                counted = series.known & (series.roles == ROLES[role]).unsqueeze(-1)
                if isinstance(model, Autoregressive):
                    counted = counted & predictable(series).unsqueeze(-1)
                error = float(((mean - series.truth).square() * counted).double().sum())
                total_error, points = squares[role]
                squares[role] = (total_error + error, points + int(counted.sum()))
        metrics = {name: value / count for name, value in sums.items()}
        for role, (error, points) in squares.items():
            if points:
                metrics[f"rmse_{role}"] = (error / points) ** 0.5
        if "rmse_unseen" in metrics:
            metrics["mse_unseen"] = metrics.pop("rmse_unseen") ** 2
        return metrics

    def inputs(self, model: SeriesModel, question: Question) -> Inputs:
        """Observed series of a file, with the points that are asked for: ``AskedSeries``."""
        return read_inputs(model, self.config, question)

    def predict(self, model: SeriesModel, batch: Batch, question: Question) -> Predictions:
        """Values at the times that are asked for, in the units of the data."""
        return predictions_of(model, self.config, batch, question)

    def figures(
        self,
        model: SeriesModel,
        data: EvaluationData,
        history: Sequence[Mapping[str, float]],
    ) -> dict[str, Figure]:
        """Reconstructions, latent trajectories, a walk through the latent space, and curves."""
        from node_cli.figures.curves import curves_by_epoch
        from node_cli.tasks.series.figures import latent_trajectories, latent_walk, reconstructions

        assert isinstance(data, OrderedBatches)
        label = self.data_label
        shown = data.examples[:_SHOWN_SERIES]
        drawn = {
            "reconstructions": reconstructions(
                self._shown(model, shown), f"{label}, validation: epoch {len(history)}"
            ),
            "loss_per_epoch": curves_by_epoch(
                history,
                {"loss/train": "training", "loss/val": "validation"},
                "loss, nats a series",
                label,
            ),
            "error_per_epoch": curves_by_epoch(
                history,
                {
                    f"rmse_{role}/val": name
                    for role, name in (
                        ("observed", "reconstruction"),
                        ("forward", "forwards in time"),
                        ("backward", "backwards in time"),
                    )
                    if f"rmse_{role}/val" in history[-1]
                },
                "RMSE of a coordinate",
                label,
            ),
        }
        if isinstance(model, LatentOde):
            series = data.examples[:_SHOWN_LATENT]
            posterior = model.encoder(series)
            states, _ = model.trajectories(series, posterior.mean.unsqueeze(0))
            groups = self._groups(series)
            drawn["latent_trajectories"] = latent_trajectories(
                states[0].cpu().numpy(),
                groups.cpu().numpy(),
                f"{label}: latent trajectories, by direction",
            )
            if series.values.shape[-1] == 2 and len(groups.unique()) == 2:
                curves = self._walk(model, series, posterior.mean, groups)
                drawn["latent_walk"] = latent_walk(
                    curves.cpu().numpy(),
                    f"{label}: a straight line from one direction to the other in z(0)",
                )
        return drawn

    def _predicted(self, model: SeriesModel, series: Series) -> tuple[Tensor, dict[str, Tensor]]:
        """Predicted values ``[B, P, D]`` at all points, and metrics of each series, ``[B]``."""
        if isinstance(model, Autoregressive):
            return model(series).mean, {"loss": -model(series.only("observed")).log_likelihood}
        config = self.config.model
        assert isinstance(config, VariationalConfig)
        found = model(series, config.iwae_samples)
        loss, divergence = negative_elbo(found, 1.0)
        values = {
            "loss": loss,
            "kl_from_prior": divergence,
            "iwae": importance_weighted_bound(found),
        }
        return found.mean.mean(dim=0), values

    def _shown(self, model: SeriesModel, series: Series) -> list[Shown]:
        from node_cli.tasks.series.figures import Shown

        if isinstance(model, Autoregressive):
            samples = model(series).mean.unsqueeze(0)
        else:
            samples = model(series, _SHOWN_SAMPLES).mean
        names = {number: role for role, number in ROLES.items()}
        shown = []
        for i in range(len(series)):
            there = series.roles[i] > 0
            if isinstance(model, Autoregressive):
                there &= series.roles[i] != ROLES["backward"]
            parts = [names[number] for number in series.roles[i][there].tolist()]
            inside = ["observed" if part == "unseen" else part for part in parts]
            shown.append(
                Shown(
                    series.times[i][there].cpu().numpy(),
                    series.truth[i][there].cpu().numpy(),
                    series.values[i][there].cpu().numpy(),
                    (series.roles[i][there] == ROLES["observed"]).cpu().numpy(),
                    samples[:, i][:, there].cpu().numpy(),
                    np.array(inside),
                )
            )
        return shown

    def _groups(self, series: Series) -> Tensor:
        """Which way a spiral turns, ``[B]``; 0 for other data."""
        if series.values.shape[-1] != 2 or not isinstance(self.config.data, SpiralsConfig):
            return torch.zeros(len(series), dtype=torch.int64)
        # Clockwise spirals run around (-5, 0), the others around (5, 0), and end beyond.
        return (series.truth[:, :, 0].mean(dim=1) > 0).long()

    def _walk(self, model: LatentOde, series: Series, means: Tensor, groups: Tensor) -> Tensor:
        first, second = (int((groups == group).nonzero()[0]) for group in (0, 1))
        share = torch.linspace(0, 1, _WALK, device=means.device).view(-1, 1)
        z0 = torch.lerp(means[first], means[second], share)
        alike = series[torch.full((_WALK,), first)]
        states, _ = model.trajectories(alike, z0.unsqueeze(0))
        curves: Tensor = model.decoder(states)[0]
        return curves
