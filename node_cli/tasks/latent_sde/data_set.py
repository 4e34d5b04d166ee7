"""The series of a run, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from node_cli.data.series_units import SeriesUnits
from node_cli.tasks.latent_sde.asked_series import AskedSeries, all_asked
from node_cli.tasks.latent_sde.series import Series

Parts = tuple[AskedSeries, AskedSeries, AskedSeries]


@dataclass(frozen=True)
class DataSet:
    """The series of a run.

    Attributes:
        parts: training, validation and test.
        units: how their values and times were changed.
        ids: of the test.
        about: where measured series are from and how they were read; empty: they were made.
        published: the numbers of another package's file that they were made of, float64; None:
            there is none.
    """

    parts: Parts
    units: SeriesUnits
    ids: Sequence[str]
    about: str = ""
    published: Tensor | None = None

    @classmethod
    def numbered(
        cls,
        parts: Sequence[Series],
        at: Sequence[Tensor],
        units: SeriesUnits,
        about: str = "",
        published: Tensor | None = None,
    ) -> DataSet:
        """Series without ids, which get numbers.

        Args:
            parts: training, validation and test.
            at: their times in the units of the data, float64 ``[N, P]`` each.
            units: of the model.
            about: as of the class.
            published: likewise.
        """
        train, validation, test = map(all_asked, parts, at)
        ids = list(map(str, range(len(test))))
        return cls((train, validation, test), units, ids, about, published)
