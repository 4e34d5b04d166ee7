"""What is learned, held against the truth where that is known."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from node_cli.tasks.latent_sde.latent_sde import Inference, LatentSdeOfSeries
from node_cli.tasks.latent_sde.lorenz import LorenzData
from node_cli.tasks.latent_sde.observation import Observation
from node_cli.tasks.latent_sde.ou_posterior import OuPosterior
from node_cli.tasks.latent_sde.schema import OuSegmentsConfig
from node_cli.tasks.latent_sde.series import OBSERVED, Series


class Pair(NamedTuple):
    """Learned and true values at the same places, ``[N, D]`` each."""

    learned: Tensor
    true: Tensor

    @property
    def relative_error(self) -> float:
        """The root mean square of the difference by that of the true values."""
        error, size = (self.learned - self.true).square().mean(), self.true.square().mean()
        return float((error / size).sqrt())


def evidence_gap(
    prior: OuSegmentsConfig, series: Series, found: Inference, observation: Observation
) -> float | None:
    """The evidence of one series minus its ELBO, in nats; None: there is no closed form."""
    if observation.kind != "normal":
        return None
    truth = true_posterior(prior, series, observation)
    return truth.log_evidence() + float(found.negative_elbo(1.0))


def true_posterior(
    prior: OuSegmentsConfig, series: Series, observation: Observation
) -> OuPosterior:
    """Of one series, with the noise that the model has learned."""
    shown = series.roles[0] == OBSERVED
    values = series.values[0, shown, 0]
    return OuPosterior(prior, series.times[0, shown], values, float(observation.scale))


def learned_and_true(
    model: LatentSdeOfSeries, data: LorenzData, found: Inference
) -> dict[str, Pair]:
    """``drift`` and ``diffusion`` of the data's coordinates, along paths of the posterior.

    The decoder is linear, x = C z + c, so that the prior dz = h dt + g dW means a drift C h and a
    diffusion that is, for each coordinate, the root of the diagonal of C g g C'. A model in the
    sense of Stratonovich has the drift h + g dg/dz / 2 in that of Itô, in which the truth is meant.
    """
    z = found.states[:, 0].flatten(0, 1)
    x = model.decode(z)
    weight = model.decoder.weight
    drift, diffusion = model.prior_drift(z), model.diffusion(z)
    if model.calculus == "stratonovich":
        with torch.enable_grad():
            inputs = z.detach().requires_grad_()
            # Each dimension's diffusion depends on this dimension alone.
            (slope,) = torch.autograd.grad(model.diffusion(inputs).sum(), inputs)
        drift = drift + 0.5 * diffusion * slope
    spread = (diffusion.square() @ weight.square().T).sqrt()
    return {
        "drift": Pair(drift @ weight.T, data.drift(x)),
        "diffusion": Pair(spread, data.diffusion(x).abs()),
    }
