"""The settings of series in a file of the user's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from node_cli.schema.base import MOST, BetweenZeroAndOne, FromZeroBelowOne, Positive, Text
from node_cli.schema.data import DataSchema


class SeriesFileConfig(DataSchema):
    """Your own series, in long form: id, time and values in a CSV file.

    Attributes:
        path: of the file.
        id: the column that tells series apart.
        time: the column of times.
        label: the column of classes, for a task that learns them; null: there is none.
        time_scale: times are divided by it for the model; null: found, 1 where training series span
            1 to 20 units. What is reported is in the units of the file.
        origin: the time that is 0 for the model: the earliest of the ``file``, the first of each
            ``series``, or the latter where the series are far apart (``auto``).
        mode: ``interpolation`` hides a share of the points within each series, ``extrapolation``
            the last part of each.
        hidden: that share.
        validation: share of the series for validation.
        test: share of the series for the test.
        window: points of a training window, for a task that trains on windows; null: whole series.
        batch_size: series in a training batch.
        eval_batch_size: series in a batch of validation or test.
    """

    name: Literal["csv"]
    path: Text | None
    id: Text
    time: Text
    label: Text | None = None  # runs from before it have none
    time_scale: Positive | None = 1.0  # runs from before these two have neither
    origin: Literal["auto", "file", "series"] = "file"
    mode: Literal["interpolation", "extrapolation"]
    hidden: FromZeroBelowOne
    validation: BetweenZeroAndOne
    test: BetweenZeroAndOne
    window: Annotated[int, Field(ge=2, le=MOST), f"an integer >= 2 and <= {MOST}"] | None

    @model_validator(mode="after")
    def _has_a_file_and_three_parts(self) -> SeriesFileConfig:
        if self.path is None:
            raise ValueError(
                "data=csv needs a file: give data.path=FILE, a .csv with the columns id and time"
                " and the values."
            )
        if self.label is not None and self.label in (self.id, self.time):
            raise ValueError(
                f"data.label={self.label}: this is the column of "
                f"{'ids' if self.label == self.id else 'times'}; name another one."
            )
        refuse_shares_of_one(self.validation, self.test)
        return self


def refuse_shares_of_one(validation: float, test: float) -> None:
    """Refuse shares of the series that leave none for training.

    Raises:
        ValueError: they do.
    """
    if validation + test >= 1:
        raise ValueError(
            f"data.validation={validation:g} data.test={test:g}: together they must be below 1, so"
            " that series are left for training."
        )
