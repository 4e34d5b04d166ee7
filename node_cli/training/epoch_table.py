"""The epochs of a run as a table on the terminal: the columns that are followed, some rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node_cli.tasks.base import BestMetric
from node_cli.training.progress import RunProgress

_ROWS = 40  # about so many are printed of a run of any length
_GAP = "  "
_NUMBER = 10  # characters of a value
_TIME = 6
_MARK = "new best"


class EpochTable:
    """Which epochs are shown to the user, and how; the log has all of them, with everything.

    Args:
        best: the metric that counts.
        last_epoch: where the run ends at the latest, if that is known.
        width: of a line; columns that it has no room for are left out, from the right.
    """

    def __init__(self, best: BestMetric, last_epoch: int | None, width: int = 100) -> None:
        self._best = best
        self.last_epoch = last_epoch
        self._width = width
        self._columns: list[_Column] = []

    def rows(
        self,
        progress: RunProgress,
        means: Mapping[str, float],
        validation: Mapping[str, float],
        better: bool,
        last: bool,
    ) -> list[str]:
        """The lines to print after an epoch: none, its row, or the head of the table as well.

        Args:
            progress: of the run, at the end of the epoch.
            means: of the training steps, by tag.
            validation: metrics of the validation set, by tag.
            better: whether the validation is the best so far.
            last: whether the run ends here.
        """
        epoch = progress.epoch + 1
        values = {**means, **validation}
        lines = []
        if not self._columns:
            self._columns = self._fitting(_columns(self._best, values))
            head = [column.title.rjust(column.width) for column in self._columns]
            lines = [_GAP.join(["epoch".rjust(self._epoch_width), *head, "time".rjust(_TIME)])]
        elif not last and not is_shown(epoch, self.last_epoch):
            return []
        total = f"/{self.last_epoch}" if self.last_epoch else ""
        cells = [f"{epoch}{total}".rjust(self._epoch_width)]
        cells += [column.shown(values) for column in self._columns]
        cells += [elapsed(progress.seconds).rjust(_TIME), *([_MARK] if better else [])]
        return [*lines, _GAP.join(cells)]

    def _fitting(self, columns: list[_Column]) -> list[_Column]:
        room = self._width - self._epoch_width - len(_GAP + _GAP + _MARK) - _TIME
        while len(columns) > 2 and sum(len(_GAP) + column.width for column in columns) > room:
            columns = columns[:-1]
        return columns

    @property
    def _epoch_width(self) -> int:
        if self.last_epoch is None:
            return 7
        return max(len("epoch"), 2 * len(str(self.last_epoch)) + 1)


def is_shown(epoch: int, last_epoch: int | None) -> bool:
    """Whether an epoch (from 1) is among the about forty that are printed of a run.

    Where the length is known these are the first, the last, and every so many between them;
    otherwise each up to the 10th, each tenth up to the 100th, each hundredth up to the 1000th, ...
    """
    if last_epoch is not None:
        return epoch in (1, last_epoch) or epoch % -(-last_epoch // _ROWS) == 0
    power: int = 10 ** max(0, len(str(epoch - 1)) - 1)
    return epoch % power == 0


def number(value: float, width: int = _NUMBER, decimals: int = 4) -> str:
    """A value in ``width`` characters: ``0.1234`` where that says enough, else ``1.35e+13``."""
    plain = f"{value:.{decimals}f}"
    tiny = decimals > 1 and 0 < abs(value) < 10.0 ** (1 - decimals)
    scientific = [f"{value:.{digits}e}" for digits in (3, 2, 1, 0)]
    fitting = [text for text in (*([] if tiny else [plain]), *scientific) if len(text) <= width]
    return fitting[0].rjust(width)


def elapsed(seconds: float) -> str:
    """A time in at most 6 characters: seconds, minutes or hours."""
    if seconds < 999.5:
        return f"{seconds:.0f} s"
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < 99.5:
        return f"{minutes:.0f} min"
    return f"{hours:.1f} h" if hours < 99.95 else f"{hours:.0f} h"


@dataclass(frozen=True)
class _Column:
    title: str
    tag: str
    decimals: int = 4
    percent: bool = False

    @property
    def width(self) -> int:
        return max(len(self.title), _NUMBER if self.decimals == 4 else 6)

    def shown(self, values: Mapping[str, float]) -> str:
        if self.tag not in values:
            return "-".rjust(self.width)
        value = values[self.tag]
        if self.percent:
            return f"{value:.2%}".rjust(self.width)
        return number(value, self.width, self.decimals)


def _columns(best: BestMetric, values: Mapping[str, float]) -> list[_Column]:
    columns = [_Column("train loss", "loss/train"), _Column("val loss", "loss/val")]
    if best.name != "loss":
        columns.append(_Column(f"val {best}", f"{best.name}/val", percent=best.name == "accuracy"))
    if best.name != "accuracy" and "accuracy/val" in values:
        columns.append(_Column("val accuracy", "accuracy/val", percent=True))
    return columns + [
        _Column(name, tag, decimals=1)
        for name, tag in (("NFE-F", "nfe/forward"), ("NFE-B", "nfe/backward"))
        if tag in values
    ]
