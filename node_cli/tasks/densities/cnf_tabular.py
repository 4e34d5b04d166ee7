"""Continuous normalizing flows of the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from node_cli.data.batches import OrderedBatches
from node_cli.data.number_table import Table, read_table
from node_cli.data.random_streams import random_stream
from node_cli.data.text_table import listed_names
from node_cli.tasks.base import Audit, EvaluationData, Loaders
from node_cli.tasks.densities.density_task import DensityTask, build_flow, inversion_error
from node_cli.tasks.densities.discrete_columns import (
    DequantizedBatches,
    dequantized,
    discrete_steps,
    refuse_discrete,
)
from node_cli.tasks.densities.normalizing_flow import NormalizingFlow
from node_cli.tasks.densities.rows import Split, split_table
from node_cli.tasks.densities.schema import TableConfig
from node_cli.tasks.densities.stream import Stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from node_cli.schema.run import RunConfig

    class TableRun(RunConfig):
        """The settings of a run of this task."""

        data: TableConfig


_SHOWN_POINTS = 2_000
_FIGURE_SEED = 0


class CnfTabular(DensityTask):
    """FFJORD's experiment on tables (Grathwohl et al. 2019, section 4.2), on a user's own file."""

    config: TableRun

    @cached_property
    def _table(self) -> Table:
        data = self.config.data
        assert data.path is not None
        table = read_table(Path(data.path), header=data.header)
        if data.dequantize is None:
            refuse_discrete(table)
        return table

    @cached_property
    def _split(self) -> Split:
        data = self.config.data
        split = split_table(self._table, data.validation, data.test, self.config.seed)
        return self._with_noise(split) if data.dequantize else split

    @cached_property
    def _steps(self) -> Tensor:
        """Of the noise on each column, ``[d]``."""
        return torch.from_numpy(discrete_steps(self._table.values))

    def _with_noise(self, split: Split) -> Split:
        """Noise on the rows for validation and test, once; that on training rows comes later."""
        stream = random_stream(self.config.seed, Stream.DEQUANTIZATION)
        validation, test = (
            dequantized(rows, self._steps, stream) for rows in (split.validation, split.test)
        )
        mean = split.mean + self._steps / 2
        std = (split.std.square() + self._steps.square() / 12).sqrt()
        return Split(split.train, validation, test, mean, std)

    @property
    def about_data(self) -> list[str]:
        """How the file was read, and where noise was added."""
        table = self._table
        lines = [f"data.path: {table.read_as}"]
        if self.config.data.dequantize:
            noisy = [
                name for name, step in zip(table.columns, self._steps.tolist(), strict=True) if step
            ]
            lines.append(f"noise on {listed_names(noisy) if noisy else 'no column'}")
        return lines

    @property
    def data_label(self) -> str:
        """The name of the file."""
        return Path(self.config.data.path or "").name

    @property
    def dimensions(self) -> int:
        """The number of columns."""
        return len(self._table.columns)

    def build_model(self) -> NormalizingFlow:
        """A flow that standardises by the mean and the deviation of the training rows."""
        table, split = self._table, self._split
        model = build_flow(self.config, self.dimensions)
        model.columns = table.columns
        model.standardise(split.mean, split.std)
        return model

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of rows ``[B, d]``, in the units of the file."""
        split = self._split
        loaders = self.in_batches(
            split.train, split.validation, split.test, device, Stream.TABLE_ORDER
        )
        if not self.config.data.dequantize:
            return loaders
        noisy = DequantizedBatches(loaders.train, self._steps, self.config.seed)
        return replace(loaders, train=noisy)

    def figures(
        self, model: NormalizingFlow, data: EvaluationData, history: Sequence[Mapping[str, float]]
    ) -> dict[str, Figure]:
        """Pairs of the first columns, data and samples; curves over epochs."""
        from node_cli.tasks.densities.figures import pair_plots

        assert isinstance(data, OrderedBatches)
        rows = data.examples[:_SHOWN_POINTS]
        generator = torch.Generator().manual_seed(_FIGURE_SEED)
        samples = model.sample(len(rows), generator)
        return {
            "pairs": pair_plots(
                rows.cpu().numpy(),
                samples.cpu().numpy(),
                self._table.columns,
                f"{self.data_label}: validation rows below the diagonal, samples above",
            ),
            **self.curves(history),
        }

    def audit(
        self,
        model: NormalizingFlow,
        data: EvaluationData,
        draw: bool,
        steps: int,
        tell: Callable[[str], None],
    ) -> Audit:
        """Inversion error on test rows, and their NLL by a Gaussian, for comparison."""
        assert isinstance(data, OrderedBatches)
        metrics = inversion_error(model, next(iter(data)))
        train = self._split.train
        if self.config.data.dequantize:
            stream = random_stream(self.config.seed, Stream.DEQUANTIZATION, 1)
            train = dequantized(train, self._steps, stream)
        gaussian = nll_of_gaussian(train, data.examples.cpu())
        if gaussian is not None:
            metrics["nll_of_gaussian"] = gaussian
        return Audit(metrics)


def nll_of_gaussian(train: Tensor, test: Tensor) -> float | None:
    """The NLL of rows, in nats, by the Gaussian with mean and covariance of the training rows.

    None where that covariance is singular.
    """
    rows = train.double()
    factor, failed = torch.linalg.cholesky_ex(torch.cov(rows.t()).reshape(2 * (rows.shape[1],)))
    if int(failed):
        return None
    gaussian = torch.distributions.MultivariateNormal(rows.mean(dim=0), scale_tril=factor)
    return -float(gaussian.log_prob(test.double()).mean())
