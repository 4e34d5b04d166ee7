"""Continuous normalizing flows of the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from node_cli.data.batches import OrderedBatches
from node_cli.data.number_table import Table, read_table
from node_cli.tasks.base import Audit, EvaluationData, Loaders
from node_cli.tasks.densities.density_task import DensityTask, build_flow, inversion_error
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
    def _table(self) -> tuple[Table, Split]:
        data = self.config.data
        assert data.path is not None
        table = read_table(Path(data.path))
        return table, split_table(table, data.validation, data.test, self.config.seed)

    @property
    def data_label(self) -> str:
        """The name of the file."""
        return Path(self.config.data.path or "").name

    @property
    def dimensions(self) -> int:
        """The number of columns."""
        return len(self._table[0].columns)

    def build_model(self) -> NormalizingFlow:
        """A flow that standardises by the mean and the deviation of the training rows."""
        table, split = self._table
        model = build_flow(self.config, self.dimensions)
        model.columns = table.columns
        model.standardise(split.mean, split.std)
        return model

    def loaders(self, device: torch.device) -> Loaders:
        """Batches of rows ``[B, d]``, in the units of the file."""
        _, split = self._table
        return self.in_batches(
            split.train, split.validation, split.test, device, Stream.TABLE_ORDER
        )

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
                self._table[0].columns,
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
        gaussian = nll_of_gaussian(self._table[1].train, data.examples.cpu())
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
