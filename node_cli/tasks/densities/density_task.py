"""What all tasks share that learn a density with a normalizing flow."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from node_cli.data.number_table import read_table
from node_cli.errors import ConfigError
from node_cli.schema.run import RunConfig
from node_cli.solving import SolveSpec
from node_cli.tasks.base import Batch, BestMetric, Task
from node_cli.tasks.densities.normalizing_flow import NormalizingFlow, dimensions_of
from node_cli.tasks.densities.own_points import (
    check_columns,
    log_densities,
    refuse_too_many_samples,
)
from node_cli.tasks.densities.schema import FlowConfig
from node_cli.tasks.prediction import Inputs, Predictions, Question


class DensityTask(Task[NormalizingFlow]):
    """Maximum likelihood of points, with the integrals of the ``regularization`` group."""

    best: BestMetric = BestMetric("nll", "min", "NLL", "nats")
    asks = frozenset({"input", "samples"})

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """The number of coordinates of a point."""

    def build_model(self) -> NormalizingFlow:
        """A flow from a Gaussian base to the data.

        Raises:
            ConfigError: the base's covariance is for another number of dimensions.
        """
        return build_flow(self.config, self.dimensions)

    def model_of(self, state: Mapping[str, Any]) -> NormalizingFlow:
        """Without the data: the weights know the number of columns, their names and units."""
        return build_flow(self.config, dimensions_of(state))

    def loss(self, model: NormalizingFlow, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        r"""The mean negative log-likelihood in nats, in standardised units, plus penalties.

        .. math:: -\frac{1}{N} \sum_n \log p(x_n) + \sum_k \lambda_k \frac{1}{N} \sum_n
                  \int k(t, z_n(t))\, dt

        The metrics are ``nll``, in the units of the data, and the mean of each integral.
        """
        likelihood = model(batch)
        nll = -likelihood.log_density.mean()
        loss = nll - float(model.scale.log().sum())
        metrics = {"nll": nll.detach()}
        for name, weight in self.config.regularization.weights.items():
            integral = likelihood.penalties[name].mean()
            loss = loss + weight * integral
            metrics[name] = integral.detach()
        return loss, metrics

    def evaluate(self, model: NormalizingFlow, batches: Iterable[Batch]) -> dict[str, float]:
        """``loss`` without penalties, ``nll`` and ``bits_per_dim`` over all points.

        ``nll``, in nats, and ``bits_per_dim`` are in the units of the data, ``loss`` in
        standardised ones.
        """
        total, count = 0.0, 0
        for points in batches:
            log_density = model(points).log_density
            total -= float(log_density.double().sum())
            count += len(points)
        nll = total / count
        return {
            "loss": nll - float(model.scale.log().sum()),
            "nll": nll,
            "bits_per_dim": nll / (self.dimensions * math.log(2)),
        }

    def inputs(self, model: NormalizingFlow, question: Question) -> Inputs:
        """Points of a table; where samples are asked for, the points of the base they come from.

        Raises:
            ConfigError: there are both, or neither, or more samples than the memory holds.
            DataError: the points are not like those of the run.
        """
        if question.samples is None:
            table = read_table(question.file, "INPUT")
            check_columns(model, table, f"INPUT {question.file}")
            return Inputs(torch.from_numpy(table.values))
        if question.path is not None:
            raise ConfigError(
                f"INPUT {question.path} --samples {question.samples}: samples need no file; give"
                " one or the other."
            )
        refuse_too_many_samples(model, question.samples, "--samples")
        generator = torch.Generator().manual_seed(question.seed)
        parts = model.draw_base_in_parts(question.samples, generator)
        return Inputs(torch.cat([part.cpu() for part in parts]))

    def predict(self, model: NormalizingFlow, batch: Batch, question: Question) -> Predictions:
        """Log-densities in nats, in the units of the data; or samples, from points of the base."""
        if question.samples is None:
            return Predictions(["log_density"], log_densities(model, batch).unsqueeze(1))
        return Predictions(model.columns, model.inverse(batch))


def build_flow(config: RunConfig, dimensions: int) -> NormalizingFlow:
    """The flow that a config asks for, for points of ``dimensions`` coordinates.

    Raises:
        ConfigError: the base's covariance is for another number of dimensions.
    """
    assert isinstance(config.model, FlowConfig)
    try:
        return NormalizingFlow(
            config.model,
            dimensions,
            SolveSpec.from_config(config),
            config.trace,
            tuple(config.regularization.weights),
        )
    except ValueError as error:
        raise ConfigError(f"{error}.") from error


def inversion_error(model: NormalizingFlow, points: Tensor) -> dict[str, float]:
    r"""The mean and the largest :math:`\|x - f^{-1}(f(x))\|_2` over points ``[N, d]``.

    In standardised units, so that no column decides it by its size.
    """
    distances = ((points - model.inverse(model(points).base)) / model.scale).norm(dim=1)
    return {
        "inversion_error": float(distances.mean()),
        "inversion_error_max": float(distances.max()),
    }
