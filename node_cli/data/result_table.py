"""Tables of results: numbers, and texts that say what they are about, as CSV or NumPy files."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from node_cli.plain_text import plain_text
from node_cli.run_folder.writing import write_whole

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ResultTable:
    """N rows.

    Attributes:
        columns: names of the C numbers of a row.
        values: ``[N, C]``, or ``[N]`` where there is one column.
        labels: texts, N each, by the name of their column; they stand before the numbers.
        digits: of a number in a CSV file.
    """

    columns: Sequence[str]
    values: NDArray[np.floating]
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    digits: int = 15

    def __len__(self) -> int:
        """N."""
        return len(self.values)

    def not_finite(self) -> tuple[int, int]:
        """The first row in which a number is infinite or none, and how many such rows there are."""
        rows = ~np.isfinite(self.values.reshape(len(self), -1)).all(axis=1)
        return int(rows.argmax()) if len(rows) else 0, int(rows.sum())

    def write(self, path: Path) -> None:
        """Write a file that is seen whole or not at all: NumPy's where it ends in ``.npy``, or CSV.

        Raises:
            OSError: it cannot be written; what was there is intact.
        """
        if is_npy(path):
            array = self.array()
            write_whole(path, lambda file: np.save(file, array))
        else:
            write_whole(path, self._write_encoded)

    def write_csv(self, file: TextIO, line_end: str = "\n") -> None:
        """Write it as CSV, with the names of the columns in the first line."""
        writer = csv.writer(file, lineterminator=line_end)
        writer.writerow(map(plain_text, (*self.labels, *self.columns)))
        rows = self.values.reshape(len(self), len(self.columns))
        numbers = ([f"{value:.{self.digits}g}" for value in row.tolist()] for row in rows)
        texts: Any = zip(*self.labels.values(), strict=True) if self.labels else None
        for row in numbers:
            writer.writerow((*map(plain_text, next(texts) if texts else ()), *row))

    def frame(self) -> pd.DataFrame:
        """The same in pandas, with the labels first."""
        import pandas as pd

        numbers = self.values.reshape(len(self), len(self.columns))
        return pd.DataFrame(
            {**self.labels, **dict(zip(self.columns, numbers.T, strict=True))}, copy=True
        )

    def array(self) -> NDArray[Any]:
        """The numbers as they are; with labels a structured array ``[N]``, a field each column."""
        if not self.labels:
            return self.values
        kinds: list[Any] = [
            (name, f"U{max(1, *map(len, texts))}" if texts else "U1")
            for name, texts in self.labels.items()
        ]
        rows = np.empty(len(self), [*kinds, *((name, np.float64) for name in self.columns)])
        for name, texts in self.labels.items():
            rows[name] = texts
        for name, column in zip(self.columns, self.values.T, strict=True):
            rows[name] = column
        return rows

    def _write_encoded(self, file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, newline="", encoding="utf-8")
        self.write_csv(text, line_end="\r\n")  # as Python's csv module has it in files
        text.flush()
        text.detach()


def is_npy(path: Path) -> bool:
    """Whether a file is NumPy's, by its name."""
    return path.suffix == ".npy"
