"""Time series, regular and irregular, with latent ODEs and the models beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from node_cli.data.batches import OrderedBatches
from node_cli.data.series_units import SeriesUnits
from node_cli.models.model_with_units import classes_in, units_in
from node_cli.schema.run import RunConfig
from node_cli.solving import record_solves, total
from node_cli.tasks.base import Batch, BestMetric, EvaluationData, Loaders, Task
from node_cli.tasks.given_series import columns_of
from node_cli.tasks.prediction import Inputs, Predictions, Question
from node_cli.tasks.series.autoregressive import Autoregressive, predictable
from node_cli.tasks.series.class_scores import UNKNOWN, answer_scores, scores
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
    has_classes,
)
from node_cli.tasks.series.series_table import SeriesTable, made, read_series
from node_cli.tasks.series.stream import Stream
from node_cli.tasks.series.synthetic import periodic, spirals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


class LatentSeries(Task[SeriesModel]):
    """The experiments of Chen et al. 2018, section 5, and of Rubanova et al. 2019."""

    config: SeriesRun
    best: BestMetric = BestMetric("loss", "min", "negative ELBO", "nats a series")
    asks = frozenset({"input", "times", "samples"})

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        if has_classes(self.config.data):
            self.best = BestMetric("cross_entropy", "min", "cross-entropy", "nats a series")

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

    @property
    def about_data(self) -> Sequence[str]:
        """How a file was read; where published series are from, and under which licence."""
        table = self.table
        if not table.source:
            return table.about
        train, validation, test = map(len, table.parts)
        points = sum(int((part.roles > 0).sum()) for part in table.parts)
        width = len(table.units.columns)
        values = f"{width} values" if width > 1 else "one value"
        of = f", of {len(table.classes)} classes" if table.classes else ""
        return (
            f"{self.config.data.name}: {table.source}",
            f"{train:,} series for training, {validation:,} for validation, {test:,} for the test;"
            f" {points:,} points of {values}{of}",
            *table.about,
        )

    @property
    def published_data(self) -> Iterable[Tensor | None]:
        """The series, where they were not made."""
        if not self.table.source:
            return ()
        parts = self.table.parts
        return (tensor for part in parts for tensor in (part.times, part.values, part.labels))

    def build_model(self) -> SeriesModel:
        """The model of the ``model`` group."""
        masked = any(
            bool((part.roles > 0).unsqueeze(-1).expand_as(part.known)[~part.known].any())
            for part in self.table.parts
        )
        return self._model(self.table.units, masked, self.table.classes)

    def model_of(self, state: Mapping[str, Any]) -> SeriesModel:
        """Without the data, whose units and classes the checkpoint has."""
        kept = units_in(state)
        return self.build_model() if kept is None else self._model(*kept, classes_in(state))

    def _model(self, units: SeriesUnits, masked: bool, classes: Sequence[str]) -> SeriesModel:
        config, dimensions = self.config.model, len(units.columns)
        spec = self.spec.in_units_of(units.time_scale)
        if isinstance(config, LatentOdeConfig):
            model: SeriesModel = LatentOde(config, dimensions, masked, spec, len(classes))
        elif isinstance(config, RnnVaeConfig):
            model = RnnVae(config, dimensions, masked, spec, len(classes))
        else:
            model = Autoregressive(config, dimensions, masked, spec, len(classes))
        model.units, model.classes = units, classes
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
        observed points take part. Where series have classes, the cross-entropy is added with
        ``model.class_weight``.
        """
        series: Series = batch.only("observed")
        if isinstance(model, Autoregressive):
            with record_solves() as solves:
                said = model(series)
            loss, of_classes = self._with_classes(-said.log_likelihood.mean(), said.logits, series)
            nfe = torch.tensor(float(total(solves).nfe_forward))
            return loss, {**of_classes, "nfe_encoder": nfe}
        config = self.config.model
        assert isinstance(config, VariationalConfig)
        with record_solves() as encoding:
            posterior = model.encoder(series)
        z0 = posterior.sample(config.samples)
        with record_solves() as decoding:
            found = model.decode(series, z0, posterior)
        weight = min(1.0, self.progress / config.kl_warmup) if config.kl_warmup else 1.0
        elbo, divergence = negative_elbo(found, weight)
        loss, of_classes = self._with_classes(elbo.mean(), found.logits, series)
        return loss, {
            **of_classes,
            "kl_from_prior": divergence.detach().mean(),
            "noise": model.log_noise.detach().exp(),
            "nfe_encoder": torch.tensor(float(total(encoding).nfe_forward)),
            "nfe_decoder": torch.tensor(float(total(decoding).nfe_forward)),
        }

    def _with_classes(
        self, loss: Tensor, logits: Tensor | None, series: Series
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss with the weighted cross-entropy of the classes, where there are classes."""
        if logits is None or series.labels is None:
            return loss, {}
        entropy, accuracy = answer_scores(logits, series.labels)
        weighted = loss + self.config.model.class_weight * entropy
        return weighted, {"cross_entropy": entropy.detach(), "accuracy": accuracy}

    def evaluate(self, model: SeriesModel, batches: Iterable[Batch]) -> dict[str, float]:
        """``loss`` with the whole KL, and errors at the points of each role.

        ``rmse_observed`` is that of the reconstruction, ``mse_unseen`` of points inside of the
        observed interval that the model was not shown, ``rmse_forward`` and ``rmse_backward`` of
        points beyond; all for each coordinate, against the truth without noise where it is known.
        Latent-variable models predict the mean over ``model.iwae_samples`` samples of the
        posterior, and have ``kl_from_prior`` and the importance-weighted bound ``iwae`` too. The
        others predict each point from those before it, the first one not at all.

        Where series have classes, there are ``cross_entropy`` in nats, ``accuracy`` and ``roc_auc``
        of the mean probabilities over these samples, and ``loss`` has the cross-entropy in it.
        """
        sums: dict[str, float] = {}
        squares = dict.fromkeys(_SCORED, (0.0, 0))
        count = 0
        answers: list[tuple[Tensor, Tensor]] = []
        for series in batches:
            count += len(series)
            mean, values, probabilities = self._predicted(model, series)
            if probabilities is not None and series.labels is not None:
                answers.append((probabilities.cpu(), series.labels.cpu()))
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
        if answers:
            metrics |= scores(*(torch.cat(parts) for parts in zip(*answers, strict=True)))
            metrics["loss"] += self.config.model.class_weight * metrics["cross_entropy"]
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
        from node_cli.figures.confusion import confusion_matrix
        from node_cli.figures.curves import curves_by_epoch
        from node_cli.tasks.series.drawing import latent_figures, shown_series
        from node_cli.tasks.series.figures import reconstructions

        assert isinstance(data, OrderedBatches)
        label = self.data_label
        shown = shown_series(model, data.examples[:_SHOWN_SERIES], _SHOWN_SAMPLES)
        drawn = {
            "reconstructions": reconstructions(shown, f"{label}, validation: epoch {len(history)}"),
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
        if self.table.classes:
            answers = torch.cat([self._answers(model, series) for series in data])
            labels = data.examples.labels
            drawn["confusion_matrix"] = confusion_matrix(
                labels[labels != UNKNOWN].cpu().numpy(),
                answers.argmax(dim=-1)[labels != UNKNOWN].cpu().numpy(),
                self.table.classes,
                label,
            )
            drawn["accuracy_per_epoch"] = curves_by_epoch(
                history,
                {"accuracy/train": "training", "accuracy/val": "validation"},
                "accuracy",
                label,
            )
        if isinstance(model, LatentOde):
            series = data.examples[:_SHOWN_LATENT]
            drawn |= latent_figures(model, series, self.config.data, label)
        return drawn

    def _answers(self, model: SeriesModel, series: Series) -> Tensor:
        _, _, answers = self._predicted(model, series)
        assert answers is not None
        return answers

    def _predicted(
        self, model: SeriesModel, series: Series
    ) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
        """What a model says of series.

        Returns:
            Values ``[B, P, D]`` at all points, metrics of each series, ``[B]``, and probabilities
            of the classes, float64 ``[B, C]``, where there are classes.
        """
        if isinstance(model, Autoregressive):
            seen = model(series.only("observed"))
            logits = seen.logits
            answers = None if logits is None else logits.double().softmax(dim=-1)
            return model(series).mean, {"loss": -seen.log_likelihood}, answers
        config = self.config.model
        assert isinstance(config, VariationalConfig)
        found = model(series, config.iwae_samples)
        loss, divergence = negative_elbo(found, 1.0)
        values = {
            "loss": loss,
            "kl_from_prior": divergence,
            "iwae": importance_weighted_bound(found),
        }
        logits = found.logits
        answers = None if logits is None else logits.double().softmax(dim=-1).mean(dim=0)
        return found.mean.mean(dim=0), values, answers
