"""What is drawn of series, from a model to the arrays of its figures."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from node_cli.tasks.series.asked_series import AskedSeries
from node_cli.tasks.series.autoregressive import Autoregressive
from node_cli.tasks.series.figures import Shown, latent_trajectories, latent_walk
from node_cli.tasks.series.latent_series import LatentOde, LatentSeriesModel
from node_cli.tasks.series.observed import ROLES, Series
from node_cli.tasks.series.schema import SeriesConfig, SpiralsConfig

_WALK = 7  # curves


def latent_figures(
    model: LatentOde, series: Series, data: SeriesConfig, label: str
) -> dict[str, Figure]:
    """Latent trajectories; where there are two groups in the plane, a walk from one to the other.

    Args:
        model: in evaluation mode.
        series: whose trajectories are drawn.
        data: the ``data`` group.
        label: the name of the data.
    """
    posterior = model.encoder(series)
    states, _ = model.trajectories(series, posterior.mean.unsqueeze(0))
    groups = _groups(series, data)
    kind = "direction" if series.labels is None else "class"
    drawn = {
        "latent_trajectories": latent_trajectories(
            states[0].cpu().numpy(),
            groups.cpu().numpy(),
            f"{label}: latent trajectories, by {kind}",
        )
    }
    if series.labels is None and series.values.shape[-1] == 2 and len(groups.unique()) == 2:
        curves = _walk(model, series, posterior.mean, groups)
        drawn["latent_walk"] = latent_walk(
            curves.cpu().numpy(),
            f"{label}: a straight line from one direction to the other in z(0)",
        )
    return drawn


def shown_series(
    model: LatentSeriesModel | Autoregressive, series: AskedSeries, samples_drawn: int
) -> list[Shown]:
    """Each series with what a model says of it, from some samples of the posterior."""
    if isinstance(model, Autoregressive):
        samples = model(series).mean.unsqueeze(0)
    else:
        samples = model(series, samples_drawn).mean
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
                (series.at[i] - _origin(model, series.at[i]))[there].cpu().numpy(),
                series.truth[i][there].cpu().numpy(),
                series.values[i][there].cpu().numpy(),
                (series.roles[i][there] == ROLES["observed"]).cpu().numpy(),
                series.known[i][there].cpu().numpy(),
                samples[:, i][:, there].cpu().numpy(),
                np.array(inside),
            )
        )
    return shown


def _groups(series: Series, data: SeriesConfig) -> Tensor:
    """The class, or which way a spiral turns, ``[B]``; 0 for other data."""
    if series.labels is not None:
        return series.labels
    if series.values.shape[-1] != 2 or not isinstance(data, SpiralsConfig):
        return torch.zeros(len(series), dtype=torch.int64)
    # Clockwise spirals run around (-5, 0), the others around (5, 0), and end beyond.
    return (series.truth[:, :, 0].mean(dim=1) > 0).long()


def _walk(model: LatentOde, series: Series, means: Tensor, groups: Tensor) -> Tensor:
    first, second = (int((groups == group).nonzero()[0]) for group in (0, 1))
    share = torch.linspace(0, 1, _WALK, device=means.device).view(-1, 1)
    z0 = torch.lerp(means[first], means[second], share)
    alike = series[torch.full((_WALK,), first)]
    states, _ = model.trajectories(alike, z0.unsqueeze(0))
    curves: Tensor = model.decoder(states)[0]
    return curves


def _origin(model: LatentSeriesModel | Autoregressive, at: Tensor) -> Tensor | float:
    """The time from which the model counts those of a series, ``[P]``, in the user's units."""
    assert model.units is not None
    return at[0] if model.units.start is None else model.units.start
