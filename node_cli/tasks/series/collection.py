"""Series with their classes, as they come from a file or a package, in three parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from node_cli.data.series_file import Named
from node_cli.errors import DataError
from node_cli.tasks.series.class_scores import UNKNOWN


@dataclass(frozen=True)
class Collection:
    """Series for training, validation and test.

    Attributes:
        columns: names of the D values.
        parts: the series of each part, each with its id, in their own units.
        labels: likewise the number of the class of each; None: there are no classes.
        classes: the name of each class.
        source: what they are, where they are from and under which licence, for the first lines of
            a run; empty: they are the user's own.
        read_as: how the user's own file was read, in a few words.
    """

    columns: Sequence[str]
    parts: Sequence[Sequence[Named]]
    labels: Sequence[Sequence[int]] | None = None
    classes: Sequence[str] = ()
    source: str = ""
    read_as: str = ""


def with_classes(
    columns: Sequence[str],
    series: Sequence[tuple[Named, int]],
    classes: Sequence[str],
    shares: Sequence[float],
    stream: torch.Generator,
    where: str,
) -> Collection:
    """A collection of series with their labels, of which shares of each class are held out.

    Args:
        columns: names of the values.
        series: each with the number of its class, or ``UNKNOWN``.
        classes: the name of each class.
        shares: of what is held out, such as validation and test, at random.
        stream: of the random numbers.
        where: what messages begin with.

    Raises:
        DataError: there are not two classes, or not enough series of one.
    """
    found = {label for _, label in series if label != UNKNOWN}
    if len(found) < 2:
        only = f"only one class, {classes[found.pop()]}" if found else "no class at all"
        raise DataError(f"{where}: its series have {only}; at least two are needed.")
    needed = 1 + len(shares)
    places: list[list[int]] = [[] for _ in range(needed)]
    for label in sorted({label for _, label in series}):
        members = [place for place, (_, other) in enumerate(series) if other == label]
        if len(members) < needed and label != UNKNOWN:
            raise DataError(
                f"{where}: the class {classes[label]} has {len(members)} series; it needs at least"
                f" {needed}, one for each of training and what is held out."
            )
        order = torch.randperm(len(members), generator=stream).tolist()
        for done, share in enumerate(shares, 1):
            size = min(max(1, round(share * len(members))), len(order) - (needed - done))
            places[done] += [members[i] for i in order[: max(0, size)]]
            order = order[max(0, size) :]
        places[0] += [members[i] for i in order]
    parts = [[series[place] for place in sorted(part)] for part in places]
    return Collection(
        columns,
        [[named for named, _ in part] for part in parts],
        [[label for _, label in part] for part in parts],
        classes,
    )
