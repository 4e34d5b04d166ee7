"""Runs side by side: what differs between them, and means and spreads over seeds."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pandas as pd

from node_cli.errors import ConfigError
from node_cli.report.record import Record, metrics_of
from node_cli.schema.spelling import did_you_mean

# What decides how exactly an ODE is solved, and so runs along a line of a figure.
WORK = ("tolerance.rtol", "tolerance.atol", "solver.step_size", "solver.num_steps")

_NOT_COMPARED = ("seed", "data.root")


class Comparison:
    """Any number of runs as a table.

    Args:
        records: of the runs.

    Attributes:
        runs: a row for each run: ``folder``, ``status``, ``cause``, ``command``, its settings by
            dotted name, and its values.
        keys: the settings that differ, but for the seed; those that follow from others are left
            out, unless a command line names them. They tell the groups apart.
        values: the names of the columns that were measured.
        settings: the names of the columns that were set.
        metrics: what the errors of the runs are, each with its goal.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        settings: dict[str, None] = {}
        values: dict[str, None] = {}
        for record in records:
            settings |= dict.fromkeys(record.settings)
            values |= dict.fromkeys(record.values)
        self.values = list(values)
        self.settings = list(settings)
        columns: dict[str, object] = {
            "folder": [str(record.folder) for record in records],
            "status": [record.status for record in records],
            "cause": [record.cause for record in records],
            "command": [record.command for record in records],
        }
        for name in settings:
            columns[name] = _plain([record.settings.get(name) for record in records])
        for name in values:
            columns[name] = [record.values.get(name) for record in records]
        self.runs = pd.DataFrame(columns)
        for name in values:
            self.runs[name] = pd.to_numeric(self.runs[name], errors="coerce")
        self.keys = self._keys(list(settings), _named(records))
        self.metrics = metrics_of(records)

    def by_task(self) -> dict[str, Comparison]:
        """The comparison apart for each task and metric, as errors of one are none of another."""
        parts: dict[str, list[Record]] = {}
        for record in self._records:
            name = f"{record.settings.get('task.name', '')} {record.metric}".strip()
            if record.status == "finished":
                parts.setdefault(name, []).append(record)
        if len(parts) < 2:
            return {"": self}
        return {name: Comparison(records) for name, records in parts.items()}

    @property
    def finished(self) -> pd.DataFrame:
        """The runs that came to their end, whose values count."""
        return self.runs[self.runs["status"] == "finished"]

    def groups(self, keys: Sequence[str] | None = None) -> pd.DataFrame:
        """A row for each combination of ``keys``, in their order.

        Args:
            keys: the settings that tell the groups apart; None: all that differ.

        Returns:
            The keys, ``runs`` (all), ``finished``, and for each value its mean over the finished
            runs, with ``±`` before the name its standard deviation (of a sample), and with `` se``
            behind it the standard error of the mean, which is that by the root of ``finished``;
            both are nothing where there is one run. Where a finished run lacks a value, nothing is
            known of them.
        """
        keys = self.keys if keys is None else list(dict.fromkeys(keys))
        by: list[str] | list[pd.Series[int]] = keys or [pd.Series(0, index=self.runs.index)]
        grouped = self.runs.groupby(by, dropna=False, sort=False)
        table = grouped.size().rename("runs").to_frame()
        table["finished"] = grouped["status"].agg(lambda status: (status == "finished").sum())
        finished = self.runs[self.values].where(self.runs["status"] == "finished")
        of_finished = finished.groupby(
            [self.runs[key] for key in keys] or by, dropna=False, sort=False
        )
        known = of_finished.count().eq(table["finished"], axis=0)
        mean, spread = of_finished.mean().where(known), of_finished.std(ddof=1).where(known)
        standard_error = spread.div(table["finished"] ** 0.5, axis=0)
        columns = {name: mean[name] for name in self.values}
        columns |= {f"±{name}": spread[name] for name in self.values}
        columns |= {f"{name} se": standard_error[name] for name in self.values}
        table = pd.concat([table, pd.DataFrame(columns)], axis=1).reset_index()
        return table.sort_values(keys, na_position="first", ignore_index=True) if keys else table

    def column(self, name: str, flag: str, known: Sequence[str]) -> str:
        """The column that a user means: ``rtol`` for ``tolerance.rtol``, ``kl`` for ``kl/test``.

        Args:
            name: as the user wrote it.
            flag: with which, for the message.
            known: the columns that can be meant.

        Raises:
            ConfigError: there is no such column, or more than one.
        """
        for found in (
            [c for c in known if c == name],
            [c for c in known if c in (f"{name}.name", f"{name}.mode", f"{name}/test")],
            [c for c in known if c in self.keys and c.rpartition(".")[2] == name],
            [c for c in known if c.rpartition(".")[2] == name],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                raise ConfigError(
                    f"{flag} {name}: this can be {' or '.join(found)}; write one of them."
                )
        what = [c for c in known if c in self.keys or c in self.values]
        raise ConfigError(
            f"{flag} {name}: there is no such column here{did_you_mean(name, known)} Known:"
            f" {', '.join(what) or 'none, as nothing differs'}."
        )

    def _keys(self, settings: Sequence[str], named: set[str]) -> list[str]:
        differing = [
            name
            for name in settings
            if name not in _NOT_COMPARED and self.runs[name].nunique(dropna=False) > 1
        ]
        keys: list[str] = []
        for name in sorted(differing, key=_names_first):
            group, _, setting = name.partition(".")
            was_named = name in named or (setting in ("name", "mode") and group in named)
            if was_named or not self._follows(name, keys):
                keys.append(name)
        return keys

    def _follows(self, name: str, keys: Sequence[str]) -> bool:
        """Whether a setting is the same in all runs that share ``keys``."""
        if not keys:
            return False
        grouped = self.runs.groupby(list(keys), dropna=False, sort=False)
        return bool(grouped[name].nunique(dropna=False).max() <= 1)


def is_number(column: pd.Series[object]) -> bool:
    """Whether a column holds numbers, apart from gaps."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def short(keys: Sequence[str]) -> dict[str, str]:
    """Each key with a name that is as short as it can be: ``rtol`` for ``tolerance.rtol``."""

    def tail(key: str) -> str:
        group, _, setting = key.rpartition(".")
        return group if setting in ("name", "mode") else setting

    tails = [tail(key) for key in keys]
    return {key: t if tails.count(t) == 1 else key for key, t in zip(keys, tails, strict=True)}


def _plain(given: Sequence[object]) -> pd.Series[object]:
    """Numbers where all are numbers, and text otherwise; what is not set is missing."""
    values = [None if value is None or value == "None" else value for value in given]
    present = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return pd.Series(values, dtype=float if None in values else None)
    texts = [None if value is None else str(value) for value in values]
    return pd.Series(texts, dtype=object)


def _names_first(name: str) -> bool:
    return not name.endswith((".name", ".mode"))


def _named(records: Sequence[Record]) -> set[str]:
    """The settings and groups that some command line names."""
    words = {word for record in records for word in _words(record.command)}
    return {word.partition("=")[0].lstrip("+~") for word in words}


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []
