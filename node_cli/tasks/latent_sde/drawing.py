"""From a model and series to figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from node_cli.data.path_seeds import Seeded, path_seed
from node_cli.data.random_streams import random_stream
from node_cli.figures.curves import curves_by_epoch
from node_cli.tasks.latent_sde.comparison import learned_and_true, true_posterior
from node_cli.tasks.latent_sde.figures import (
    Bands,
    Drawn,
    SeriesPanel,
    bands_of_one,
    bands_of_series,
    drift_curves,
    paths_in_space,
    scatter_of_pairs,
)
from node_cli.tasks.latent_sde.latent_sde import LatentSde, LatentSdeOfOneSeries, LatentSdeOfSeries
from node_cli.tasks.latent_sde.schema import OuSegmentsConfig
from node_cli.tasks.latent_sde.series import OBSERVED, Series
from node_cli.tasks.latent_sde.stream import Stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.tasks.latent_sde.task import LatentSdeTask

PERCENTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_GRID = 100  # times of bands
_PATHS = 400  # that bands are made of
_LINES = 3  # of these that are drawn
_SERIES = 3
_IN_SPACE = 20
_DRIFT_TIMES = (0.15, 0.55, 1.0, 1.35, 1.75)


def drawn(
    task: LatentSdeTask,
    model: LatentSde,
    batch: Seeded,
    history: Sequence[Mapping[str, float]],
) -> dict[str, Figure]:
    """All figures but the curves of loss and NFE.

    Args:
        task: whose run it is.
        model: in evaluation mode.
        batch: of the validation.
        history: one mapping of tag to value for each epoch so far.
    """
    count = len(batch.examples)
    chosen = torch.linspace(0, count - 1, min(_SERIES, count)).long()  # windows may overlap
    series: Series = batch.examples[chosen]
    name = task.config.data.name
    title = f"{name}, validation: epoch {len(history)}"
    end = float(batch.examples.ends.max())
    grid = torch.linspace(0.0, end, _GRID, device=series.times.device)
    found = model(series, _PATHS, batch.path_seed, grid)
    seed = path_seed(batch.path_seed, Stream.FIGURES)
    prior = model.decode(model.prior_states(grid, _PATHS, seed))
    of_prior = _bands(grid, prior, _with_noise(model, prior, seed))
    paths = model.decode(found.states)
    observed = _with_noise(model, paths, seed)
    panels = [
        SeriesPanel(
            _drawn(series, i),
            _bands(found.times, paths[:, :, i], observed[:, :, i]),
            float(series[i : i + 1].observed.ends),
        )
        for i in range(len(series))
    ]
    figures = {}
    data = task.config.data
    if isinstance(data, OuSegmentsConfig):
        exact = None
        if model.observation.kind == "normal":
            truth = true_posterior(data, series, model.observation)
            mean, deviation = truth.marginals(grid)
            spread = (
                1.6449
                * (deviation.square() + model.observation.scale.cpu().double().square()).sqrt()
            )
            exact = (mean - spread).numpy(), (mean + spread).numpy()
            if isinstance(model, LatentSdeOfOneSeries):
                figures["posterior_drift"] = _drifts(model, data, series, title)
        figures["bands"] = bands_of_one(of_prior, panels[0], exact, title)
    else:
        figures["bands"] = bands_of_series(of_prior, panels, title)
    if task.lorenz is not None and isinstance(model, LatentSdeOfSeries):
        some = batch.examples[:_IN_SPACE]
        shown = some.observed
        times, _ = shown.union()
        samples = model.decode(model.prior_states(times, _IN_SPACE, seed)).transpose(0, 1)
        figures["paths"] = paths_in_space(shown.values.cpu().numpy(), samples.cpu().numpy(), title)
        figures["drift_and_diffusion"] = scatter_of_pairs(
            {
                key: (pair.learned.cpu().numpy(), pair.true.cpu().numpy())
                for key, pair in learned_and_true(model, task.lorenz, found).items()
            },
            title,
        )
    figures["kl_per_epoch"] = curves_by_epoch(
        history,
        {"path_kl/train": "training", "path_kl/val": "validation"},
        "KL of the paths, nats a series",
        name,
    )
    return figures


def _with_noise(model: LatentSde, values: Tensor, seed: int) -> Tensor:
    """What would be observed on paths, ``[T, K, ...]``."""
    stream = random_stream(seed, 1)
    scale = model.observation.scale
    if model.observation.kind == "normal":
        return values + scale * torch.randn(values.shape, generator=stream).to(values)
    uniform = torch.rand(values.shape, generator=stream).to(values) - 0.5
    return values - scale * uniform.sign() * torch.log1p(-2 * uniform.abs().clamp(max=0.499999))


def _bands(times: Tensor, paths: Tensor, values: Tensor) -> Bands:
    """Percentiles of what is observed on paths ``[T, K, D]``, and a few of these."""
    levels = torch.tensor(PERCENTILES, dtype=values.dtype, device=values.device)
    percentiles = values.quantile(levels, dim=1)
    return Bands(times.cpu().numpy(), percentiles.cpu().numpy(), paths[:, :_LINES].cpu().numpy())


def _drawn(series: Series, index: int) -> Drawn:
    there = series.roles[index] > 0
    values = torch.where(series.known, series.values, torch.nan)[index][there]
    return Drawn(
        series.times[index][there].cpu().numpy(),
        values.cpu().numpy(),
        (series.roles[index][there] == OBSERVED).cpu().numpy(),
    )


def _drifts(
    model: LatentSdeOfOneSeries, data: OuSegmentsConfig, series: Series, title: str
) -> Figure:
    """The drift of the posterior, learned and exact, where the exact posterior mostly is."""
    truth = true_posterior(data, series, model.observation)
    device = series.times.device
    mean, deviation = truth.marginals(torch.tensor(_DRIFT_TIMES))
    told = model.posterior(series.observed).told
    end = float(series.observed.ends)
    curves = []
    for time, centre, spread in zip(_DRIFT_TIMES, mean.tolist(), deviation.tolist(), strict=True):
        z = torch.linspace(centre - 2 * spread, centre + 2 * spread, 40)
        at = z.to(device).unsqueeze(1)
        if time < end:
            learned = model.posterior_drift(at, told(torch.tensor(time, device=device)))
        else:
            learned = model.prior_drift(at)
        curves.append(
            (time, z.numpy(), learned[:, 0].cpu().numpy(), truth.drift(time, z).float().numpy())
        )
    return drift_curves(curves, title)
