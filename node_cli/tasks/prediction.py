"""What is asked of a trained model, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from node_cli.errors import ConfigError

# What a task may be asked with: a file, times to predict at, and how many samples to draw.
Part = Literal["input", "times", "samples"]
# In the units of the user's data, increasing: the same for all series, or by the id of each.
Times = NDArray[np.float64] | Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Question:
    """What is to be predicted.

    Attributes:
        path: the user's file or folder; None: there is none.
        times: to predict at; None: as the task chooses.
        horizon: how far beyond the last time that is given the task shall choose times; None: as
            far as it chooses.
        samples: how many to draw; None: as many as the run's evaluation.
        seed: of what is drawn; with 0 it is what the run's evaluation draws.
        band: the share of the samples that lies between the bounds of a prediction.
    """

    path: Path | None = None
    times: Times | None = None
    horizon: float | None = None
    samples: int | None = None
    seed: int = 0
    band: float = 0.9

    @property
    def file(self) -> Path:
        """The user's file or folder.

        Raises:
            ConfigError: there is none.
        """
        if self.path is None:
            raise ConfigError("INPUT is missing: name the file with what is to be predicted.")
        return self.path


class Inputs(NamedTuple):
    """What a user's file holds.

    Attributes:
        examples: N of them, as in the batches of the test, but for what nobody knows of them.
        labels: texts that tell them apart, N each, by the name of their column.
    """

    examples: Any
    labels: Mapping[str, Sequence[str]] = {}


@dataclass(frozen=True)
class Predictions:
    """What a model says of B examples, as the rows of a table.

    Attributes:
        columns: names of the C columns of ``values``.
        values: ``[R, C]``, in the units of the user's data.
        of: which example each row is about, from 0, ``[R]``; None: a row for each, in order.
        labels: texts about the rows, R each, by the name of their column.
    """

    columns: Sequence[str]
    values: Tensor
    of: Tensor | None = None
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
