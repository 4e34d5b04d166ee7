"""What a trained model says of a user's series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from node_cli.data.series_file import Points
from node_cli.errors import ConfigError, DataError
from node_cli.schema.run import RunConfig
from node_cli.tasks.asked_times import asked_times
from node_cli.tasks.given_series import columns_of, given_series, refuse_missing
from node_cli.tasks.predicted_rows import mean_and_bounds, series_rows
from node_cli.tasks.prediction import Inputs, Predictions, Question
from node_cli.tasks.series.asked_series import AskedSeries, asked_series
from node_cli.tasks.series.autoregressive import Autoregressive, predictable
from node_cli.tasks.series.latent_series import LatentSeriesModel
from node_cli.tasks.series.schema import VariationalConfig

SeriesModel = LatentSeriesModel | Autoregressive


def read_inputs(model: SeriesModel, config: RunConfig, question: Question) -> Inputs:
    """Observed series of a file, and the points that are asked for.

    Raises:
        DataError: the file cannot be used, or has other columns; values are missing that never
            were in training; a recurrent network is asked for a time before which it sees nothing.
        ConfigError: samples are asked for of a model that draws none.
    """
    units = model.units
    assert units is not None
    columns = columns_of(config.data, units.columns)
    if isinstance(model, Autoregressive) and question.samples is not None:
        raise ConfigError(
            f"--samples {question.samples}: model={config.model.name} draws none, as it predicts"
            " one value; leave it out."
        )
    given = given_series(question, columns)
    if not model.masked:
        refuse_missing(given, columns)
    asked = asked_times(question, {name: times for name, (times, _) in given.items()})
    if isinstance(model, Autoregressive):
        asked = _behind_the_first(config.model.name, question, given, asked)
    return Inputs(asked_series(given, asked, units), {columns.id: list(given)})


def predictions_of(
    model: SeriesModel,
    config: RunConfig,
    series: AskedSeries,
    question: Question,
) -> Predictions:
    """Each value at each time that is asked for, in the units of the data.

    Latent-variable models have the mean over samples of the posterior, and bounds between which a
    share of them lies. The others have no samples, and say nothing of a point before which they see
    none. Where there are classes, each row has their probabilities, and the most probable class.
    """
    asked, units = series.asked, model.units
    assert units is not None
    if isinstance(model, Autoregressive):
        asked = asked & predictable(series)
        found = {"{}": model(series).mean.double().cpu()}
        logits = None if model.head is None else model(series.only("observed")).logits
    else:
        assert isinstance(config.model, VariationalConfig)
        said = model(series, question.samples or config.model.iwae_samples)
        found, logits = mean_and_bounds(said.mean, question.band), said.logits
    found = {form: part[asked.cpu()] for form, part in found.items()}
    rows = series_rows(found, series.at, asked, columns_of(config.data, units.columns), units)
    if logits is None:
        return rows
    assert rows.of is not None
    answers = logits.double().softmax(dim=-1).reshape(-1, *logits.shape[-2:]).mean(dim=0).cpu()
    names = [*rows.columns, *(f"p({name})" for name in model.classes)]
    guesses = [model.classes[place] for place in answers.argmax(dim=-1).tolist()]
    told = {"class": [guesses[number] for number in rows.of.tolist()]}
    return Predictions(
        names, torch.cat((rows.values, answers[rows.of.cpu()]), dim=1), rows.of, told
    )


def _behind_the_first(
    model: str,
    question: Question,
    given: Mapping[str, Points],
    asked: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    """Times before which a point is observed; others are refused, where they were asked for."""
    kept = {}
    for name, times in asked.items():
        seen, values = given[name]
        observed = seen[np.isfinite(values).any(axis=1)]
        first = observed[0] if len(observed) else np.inf
        kept[name] = times[times > first]
        if question.times is not None and len(kept[name]) < len(times):
            raise DataError(
                f"time {times[0]:.15g} of series {name}: model={model} predicts from what it has"
                f" seen before, which begins after {first:.15g}; ask for later times, or train"
                " model=latent-ode."
            )
    return kept
