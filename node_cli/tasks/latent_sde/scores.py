"""What predictions of series are worth."""

from __future__ import annotations

import torch
from torch import Tensor

from node_cli.tasks.latent_sde.latent_sde import Inference
from node_cli.tasks.latent_sde.observation import Observation
from node_cli.tasks.latent_sde.series import FORWARD, OBSERVED, UNSEEN, Series

_ROLES = {"observed": OBSERVED, "unseen": UNSEEN, "forward": FORWARD}
BANDS = {"inside_50": 0.5, "inside_90": 0.9}


class Scores:
    """Sums over batches, and the metrics that they come to."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, series: Series, found: Inference, observation: Observation) -> None:
        """Count a batch."""
        self._count("loss", found.negative_elbo(1.0))
        self._count("path_kl", found.path_kl.mean(dim=0))
        self._count("start_kl", found.start_kl)
        roles = series.roles.unsqueeze(-1)
        errors = (found.mean.mean(dim=0) - series.values).square()
        for name, role in _ROLES.items():
            self._count(f"rmse_{name}", errors[series.known & (roles == role)])
        ahead = series.known & (roles == FORWARD)
        of_last = (_last_observed(series) - series.values).square()
        self._count("rmse_forward_of_last", of_last[ahead])
        held_out = series.known & (roles > OBSERVED)
        quantile = observation.quantile_of(series.values, found.mean)[held_out]
        for name, share in BANDS.items():
            self._count(name, (quantile - 0.5).abs() <= share / 2)

    def metrics(self) -> dict[str, float]:
        """Means, and roots of the means of squares."""
        return {
            name: (total / self._counts[name]) ** (0.5 if name.startswith("rmse") else 1.0)
            for name, total in self._sums.items()
            if self._counts[name]
        }

    def _count(self, name: str, values: Tensor) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + float(values.double().sum())
        self._counts[name] = self._counts.get(name, 0) + values.numel()


def _last_observed(series: Series) -> Tensor:
    """The last value that a model is shown of each column, ``[B, 1, D]``; 0 where there is none."""
    shown = series.known & (series.roles == OBSERVED).unsqueeze(-1)
    place = torch.arange(shown.shape[1], device=shown.device).view(1, -1, 1)
    last = torch.where(shown, place, -1).amax(dim=1, keepdim=True)
    return torch.gather(series.values, 1, last.clamp(min=0)) * (last >= 0)
